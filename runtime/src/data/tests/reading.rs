use super::*;

#[test]
fn a_line_of_names_is_recognised() {
    let table = csv("age, height\n1,2\n3,4\n").read().unwrap();
    assert_eq!(table.names(), ["age", "height"]);
    assert_eq!(rows(&table), [[1., 2.], [3., 4.]]);
    let table = csv("1,2\n3,4").read().unwrap();
    assert_eq!(table.names(), ["column 1", "column 2"]);
    assert_eq!(table.rows(), 2);
    assert_eq!(csv(",a\n1,2\n").read().unwrap().names(), ["", "a"]);
    for faulty in ["NA\n1\n", "1,x\n3,4\n", "150,4,setosa\n5.1,3.5,0\n", "\"1,5\"\n3\n"] {
        says(csv(faulty).read(), &["a.csv, line 1", "expected a number"]);
    }
    assert_eq!(csv("1,2\n3,4").header(true).read().unwrap().names(), ["1", "2"]);
}

#[test]
fn marks_line_ends_blank_lines_and_spaces_do_not_matter() {
    for text in ["\u{feff}a,b\r\n1, 2\r\n\r\n3 ,4\r\n", "\n\na,b\n1,2\n3,4\n\n\n", "a,b\n\"1\",2\n3,\"4\""] {
        let table = csv(text).read().unwrap();
        assert_eq!(table.names(), ["a", "b"], "{text:?}");
        assert_eq!(rows(&table), [[1., 2.], [3., 4.]], "{text:?}");
    }
}

#[test]
fn lines_are_skipped_before_the_names() {
    let table = csv("made by hand\na,b\n1,2\n").skip(1).read().unwrap();
    assert_eq!(table.names(), ["a", "b"]);
    says(csv("made\na,b\n1,2\nx,4\n").skip(1).read(), &["the text \"x\" in `a`", "line 4, column 1"]);
}

#[test]
fn other_separators() {
    assert_eq!(rows(&csv("1;2\n3;4").separator(';').read().unwrap()), [[1., 2.], [3., 4.]]);
    assert_eq!(rows(&csv(" 1   2\n3 4 \n").separator(' ').read().unwrap()), [[1., 2.], [3., 4.]]);
    says(csv("1,2").separator('é').read(), &["`separator` cannot be 'é'"]);
    says(csv("1,2").separator('\n').read(), &["one ASCII character"]);
}

#[test]
fn columns_are_chosen_by_name_or_number_and_targets_come_last() {
    let file = || csv("id,y,a,b\none,9,1,2\ntwo,8,3,4\n");
    assert_eq!(rows(&file().columns(["b", "a"]).read().unwrap()), [[2., 1.], [4., 3.]]);
    assert_eq!(rows(&file().columns([3, 4]).target("y").read().unwrap()), [[1., 2., 9.], [3., 4., 8.]]);
    assert_eq!(rows(&file().columns(["y", "a"]).target(2).read().unwrap()), [[1., 9.], [3., 8.]]);
    says(file().columns(["c"]).read(), &["no column `c`", "a number in 1..=4", "`id`, `y`, `a`, `b`"]);
    says(file().target(0).read(), &["no column `0`"]);
    says(csv("1,2\n3,4").target("y").read(), &["no column `y`", "has no line of names"]);
}

#[test]
fn targets_may_lie_in_a_second_file() {
    let table = csv("1 2\n3 4\n").separator(' ').targets(csv("y z\n5 6\n7 8")).read().unwrap();
    assert_eq!(rows(&table), [[1., 2., 5., 6.], [3., 4., 7., 8.]]);
    says(csv("1\n2").targets(csv("1\n2\n3")).read(), &["a.csv has 3 rows; expected 2, as a.csv has"]);
}

#[test]
fn columns_are_chosen_of_all_files_and_of_a_file_that_none_is_chosen_of_all_are_read() {
    let read = |columns: &[&str]| {
        let other = csv("id,y,kind\none,5,b\ntwo,6,a");
        let file = csv("a,b,id\n1,2,one\n3,4,two").columns(columns).targets(other);
        file.categories("kind").read()
    };
    assert_eq!(rows(&read(&["b", "a", "y"]).unwrap()), [[2., 1., 5.], [4., 3., 6.]]);
    assert_eq!(rows(&read(&["1", "6", "5"]).unwrap()), [[1., 1., 5.], [3., 0., 6.]]);
    assert_eq!(rows(&csv("a\n1\n2").columns(["a"]).targets(csv("y,z\n5,6\n7,8")).read().unwrap()), [[1., 5., 6.], [2., 7., 8.]]);
    let target = csv("a\n1\n2").target("y").targets(csv("y,z\n5,6\n7,8")).read().unwrap();
    assert_eq!(rows(&target), [[1., 6., 5.], [2., 8., 7.]]);
    says(read(&["a", "q"]), &["no column `q`", "a number in 1..=6", "`a`, `b`, `id`, `id`, `y`, `kind`", "a.csv and a.csv"]);
}

#[test]
fn gzip_is_known_by_its_first_bytes() {
    assert_eq!(rows(&leaked(zipped("a\n1\n2\n"), "misnamed.csv").read().unwrap()), [[1.], [2.]]);
    let members = [zipped("1\n"), zipped("2\n")].concat();
    assert_eq!(leaked(members, "a.csv.gz").read().unwrap().rows(), 2);
    says(leaked(b"1,2\n".to_vec(), "a.csv.gz").read(), &["called .gz, but begins with the bytes 31 2c", "1f 8b"]);
    says(leaked(zipped(std::str::from_utf8(b"1\n2\n").unwrap())[..12].to_vec(), "a.gz").read(), &["damaged or cut off"]);
    let mut twice = GzEncoder::new(Vec::new(), Compression::default());
    twice.write_all(&zipped("1\n")).unwrap();
    says(leaked(twice.finish().unwrap(), "a.gz").read(), &["compressed twice"]);
}

#[test]
fn what_is_no_csv_is_named() {
    says(leaked(b"PK\x03\x04....".to_vec(), "a.csv").read(), &["a zip archive"]);
    says(leaked(b"\xff\xfe1\x002\x00".to_vec(), "a.csv").read(), &["UTF-16"]);
    says(leaked(b"1,2\n\xe9,4\n".to_vec(), "a.csv").header(false).read(), &["the text", "line 2, column 1"]);
    says(Dataset::csv("/nowhere/a.csv").read(), &["cannot read `/nowhere/a.csv`", "check the path"]);
    says(Dataset::csv("/").read(), &["cannot read `/`"]);
}

#[test]
fn lines_of_another_width_are_told_with_their_number() {
    says(csv("1,2\n\n3,4,5\n").read(), &["the line has 3 columns; expected 2", "in a.csv, line 3\n"]);
    says(csv("1,2\r\n\r\n3\r\n").read(), &["the line has 1 column", "in a.csv, line 3\n"]);
    says(csv("a,b,cat,dog\n1,2\n").read(), &["line has 4 columns; expected 2, as on the next line", "line 1\n", "skip 1"]);
    says(csv("a,b,c\n1,2\n3,4,5\n").read(), &["line has 3 columns; expected 2", "repair the next one"]);
    says(csv("a;b\n1,5;2\n").read(), &["line has 1 column; expected 2", "separated by ';': set the separator"]);
}

#[test]
fn text_is_told_with_its_place_and_a_reason() {
    says(csv("a,b\n1,2\n3,x\n").read(), &["the text \"x\" in `b`; expected a number", "line 3, column 2", "(columns)"]);
    says(csv("1,2\r\n\r\n3,x\r\n").read(), &["line 3, column 2"]);
    says(csv("\"p\nq\",b\n1,2\n3,x").read(), &["line 4, column 2"]);
    let quoted = csv("a,b\n\"p\nq\",1\n\"r\ns\",x\n").columns(["b"]);
    says(quoted.header(true).read(), &["line 4, column 2"]);
    says(csv("1,2\n3,\n").read(), &["an empty cell", "fill the missing value in"]);
    says(csv("1,2\nNA,1\n").read(), &["the text \"NA\"", "fill the missing value in"]);
    says(csv("1;2\n3;4\n").read(), &["set the separator", "';'"]);
    says(csv("1,5;2\n3;4\n").read(), &["set the separator"]);
    says(csv("a\tb\n1\t2\n").read(), &["separated by '\\t': set the separator"]);
    says(csv("1,2\r3,4\r").read(), &["a carriage return alone ends none"]);
    says(csv("1,5;2\n3;4\n").separator(';').read(), &["the text \"1,5\"", "a decimal point: 1.5 for 1,5"]);
    says(csv("1,200;2\n").separator(';').read(), &["1.200 where the comma is a decimal one, 1200 where it parts thousands"]);
    says(
        csv("-1,234,567.5;2\n").separator(';').read(),
        &["nothing parts the thousands of a number: -1234567.5 for -1,234,567.5"],
    );
    says(csv("0,125;2\n").separator(';').read(), &["a decimal point: 0.125 for 0,125"]);
    // Asked for by name before the first number is read.
    says(csv("a;kind\n1;x\n2;y\n").categories("kind").read(), &["there is no column `kind`", "look separated by ';'"]);
    says(csv("a,b\nc,d\n1,2\n").read(), &["the text \"a\"", "if the line holds names, say so"]);
    says(csv("a,b\n1,2\n").header(false).read(), &["the text \"a\"", "line 1, column 1"]);
    let long = "x".repeat(99) + ",1\n2,3\nz,4";
    says(csv(long.leak()).header(false).read(), &["x…\""]);
}

#[test]
fn empty_files_are_refused() {
    for text in ["", "\n\n", "a,b\n"] {
        says(csv(text).header(text.len() > 2).read(), &["the file holds no rows", "in a.csv"]);
    }
    says(csv("1,2\n").skip(5).read(), &["no rows"]);
}
