//! Statements about checkpoints.

use std::borrow::Cow;

use rand::Rng as _;
use safetensors::tensor::{Dtype, View, serialize};

use super::*;
use crate::error::Unlike;
use crate::random::Rng;

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("gradc-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn files(&self) -> Vec<String> {
        fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const TENSORS: [Tensor; 4] = [
    ("hidden.dense.weight", &[2, 3], &[1., -2., 3.5, f32::NAN, 0., f32::INFINITY]),
    ("hidden.dense.bias", &[3], &[-0., 1e-40, 7.]),
    ("empty", &[0, 4], &[]),
    ("step \"é\"\n", &[], &[9.]),
];

fn metadata() -> BTreeMap<String, String> {
    [("network", "Digits"), ("note", "two\nlines, \"quoted\", \\ and é")].map(|(a, b)| (a.to_owned(), b.to_owned())).into()
}

fn bytes(tensors: &[Tensor], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut bytes = format::header(tensors, metadata).unwrap();
    for (_, _, values) in format::in_file_order(tensors) {
        bytes.extend(format::chunks(values).flatten());
    }
    bytes
}

/// Tensors with their values as bits, in which NaN equals itself.
fn bits(checkpoint: &Checkpoint) -> Vec<(&str, &[usize], Vec<u32>)> {
    let tensors = checkpoint.tensors.iter();
    tensors.map(|(name, (shape, values))| (&name[..], &shape[..], values.iter().map(|value| value.to_bits()).collect())).collect()
}

#[test]
fn what_is_saved_is_loaded_bit_for_bit() {
    let scratch = Scratch::new("saved");
    let path = scratch.0.join("net.safetensors");
    save(&path, &TENSORS, &metadata()).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.metadata, metadata());
    let mut expected: Vec<_> = TENSORS
        .iter()
        .map(|(name, shape, values)| (*name, *shape, values.iter().map(|value| value.to_bits()).collect()))
        .collect();
    expected.sort();
    assert_eq!(bits(&loaded), expected);
    assert_eq!(fs::read(&path).unwrap(), bytes(&TENSORS, &metadata()));
    assert_eq!(scratch.files(), ["net.safetensors"]);
}

#[test]
fn the_order_of_the_tensors_does_not_change_the_file() {
    let mut reversed = TENSORS;
    reversed.reverse();
    assert_eq!(bytes(&TENSORS, &metadata()), bytes(&reversed, &metadata()));
}

#[test]
fn a_save_that_fails_leaves_the_old_file() {
    let scratch = Scratch::new("kept");
    let path = scratch.0.join("net.safetensors");
    save(&path, &TENSORS, &metadata()).unwrap();
    let before = fs::read(&path).unwrap();
    // The place of the file in the making is taken by a directory, so that writing it fails.
    fs::create_dir(beside(&path)).unwrap();
    let error = save(&path, &TENSORS[..1], &metadata()).unwrap_err();
    assert!(matches!(error, Error::Io { action: "write", .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let error = save(scratch.0.join("no/such/net.safetensors"), &TENSORS, &metadata()).unwrap_err();
    assert!(error.to_string().contains("no/such/net.safetensors"), "{error}");
}

/// Models in several threads may write to one name: the last whole file stands there.
#[test]
fn threads_that_save_to_one_file_do_not_write_into_each_other() {
    let scratch = Scratch::new("threads");
    let path = scratch.0.join("net.safetensors");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let values = vec![thread as f32; 10_000 + thread];
                for _ in 0..20 {
                    save(path, &[("weight", &[values.len()], &values)], &metadata()).unwrap();
                    let found = load(path).unwrap();
                    let (shape, values) = &found.tensors["weight"];
                    assert!(shape[0] == values.len() && values.iter().all(|value| *value as usize + 10_000 == values.len()));
                }
            });
        }
    });
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_bare_file_name_lies_in_the_working_directory() {
    assert_eq!(beside(Path::new("net.safetensors")).parent(), Some(Path::new("")));
    sync_directory(Path::new("net.safetensors")).unwrap();
}

/// Pickles, archives and networks stand beside the file that is meant, and are named for what they are.
#[test]
fn files_of_other_kinds_are_named() {
    let scratch = Scratch::new("kinds");
    for (bytes, word) in [
        (&b"PK\x03\x04\x14\0\0\0\0\0"[..], "PyTorch"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9", "pickle"),
        (b"\x89HDF\r\n\x1a\n\0", "Keras"),
        (b"Iris {\n    input", "`--save`"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{", "cut off"),
    ] {
        let file = scratch.0.join("file");
        fs::write(&file, bytes).unwrap();
        let message = load(&file).unwrap_err().to_string();
        assert!(message.contains(word) && message.contains("safetensors"), "{message}");
    }
}

#[test]
fn contents_that_no_file_can_hold_are_refused() {
    let none = BTreeMap::new();
    assert!(format::header(&[("a", &[1], &[0.]), ("a", &[1], &[0.])], &none).is_err());
    assert!(format::header(&[("a", &[2], &[0.])], &none).is_err());
    assert!(format::header(&[("__metadata__", &[1], &[0.])], &none).is_err());
    let reserved = [("gradc.digest".to_owned(), String::new())].into();
    assert!(format::header(&[], &reserved).is_err());
}

/// Every altered file is refused, or (where only the form of the header changed) holds what the original held.
#[test]
fn hostile_files_are_errors() {
    let original = bytes(&TENSORS, &metadata());
    let whole = format::parse(&original).unwrap();
    let mut rng = Rng::new(7, 0);
    let mut random = |bound: usize| rng.next_u32() as usize % bound;
    for turn in 0..10_000 {
        let mut altered = original.clone();
        let place = random(altered.len());
        match turn % 5 {
            0 => altered.truncate(place),
            1 => altered[place] ^= 1 << random(8),
            2 => altered.insert(place, random(256) as u8),
            3 => drop(altered.remove(place)),
            _ => (0..1 + random(8)).for_each(|_| altered[random(original.len())] = random(256) as u8),
        }
        match format::parse(&altered) {
            Err(error) => assert!(error.to_string().contains("\nhelp: ")),
            Ok(loaded) => assert_eq!((bits(&loaded), &loaded.metadata), (bits(&whole), &whole.metadata), "turn {turn}"),
        }
    }
}

#[test]
fn every_single_bit_is_guarded() {
    let original = bytes(&TENSORS, &metadata());
    let whole = format::parse(&original).unwrap();
    for bit in 0..8 * original.len() {
        let mut altered = original.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        // The case of a hexadecimal digit in an escape is a bit without meaning.
        if let Ok(loaded) = format::parse(&altered) {
            assert_eq!((bits(&loaded), &loaded.metadata), (bits(&whole), &whole.metadata), "bit {bit}");
        }
    }
}

/// Eight of the largest tensors whose size in bits fits 64 bits: together they end just below 2⁶⁴ bytes.
#[test]
fn offsets_that_overflow_are_errors() {
    let size = (1u64 << 61) - 4;
    let tensor = |part: u64| {
        let (start, end, extent) = (part * size, (part + 1) * size, size / 4);
        format!(r#""{part}":{{"dtype":"F32","shape":[{extent}],"data_offsets":[{start},{end}]}}"#)
    };
    let json = format!("{{{}}}", (0..8).map(tensor).collect::<Vec<_>>().join(","));
    let file = [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    assert!(format::parse(&file).is_err());
    assert!(format::parse(&u64::MAX.to_le_bytes()).is_err());
}

struct Foreign(Dtype, Vec<u8>);

impl View for Foreign {
    fn dtype(&self) -> Dtype {
        self.0
    }
    fn shape(&self) -> &[usize] {
        &[2]
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.1)
    }
    fn data_len(&self) -> usize {
        self.1.len()
    }
}

#[test]
fn files_from_elsewhere_load_without_a_digest() {
    let texts = [("format".to_owned(), "pt".to_owned())].into();
    let file = serialize([("a", Foreign(Dtype::F32, [1f32.to_le_bytes(), 2f32.to_le_bytes()].concat()))], Some(texts)).unwrap();
    let loaded = format::parse(&file).unwrap();
    assert_eq!(loaded.tensors["a"], (vec![2], vec![1., 2.]));
    assert_eq!(loaded.metadata["format"], "pt");
    let file = serialize([("a", Foreign(Dtype::F32, vec![0; 8]))], None).unwrap();
    assert!(format::parse(&file).unwrap().metadata.is_empty());
}

#[test]
fn other_types_are_refused_by_name() {
    for (dtype, size) in [(Dtype::F64, 16), (Dtype::F16, 4), (Dtype::BF16, 4), (Dtype::I64, 16)] {
        let file = serialize([("a", Foreign(dtype, vec![0; size]))], None).unwrap();
        let text = format::parse(&file).unwrap_err().to_string();
        assert!(text.starts_with(&format!("`a` has the type {dtype}; expected F32")), "{text}");
    }
}

#[test]
fn a_newer_format_is_refused() {
    let texts = [("gradc.format".to_owned(), "2".to_owned())].into();
    let file = serialize([("a", Foreign(Dtype::F32, vec![0; 8]))], Some(texts)).unwrap();
    assert!(format::parse(&file).unwrap_err().to_string().contains("written by a newer gradc"));
}

#[test]
fn matching_says_what_differs() {
    let checkpoint = format::parse(&bytes(&TENSORS[..2], &BTreeMap::new())).unwrap();
    let weight: (&str, &[usize]) = ("hidden.dense.weight", &[2, 3]);
    let bias: (&str, &[usize]) = ("hidden.dense.bias", &[3]);
    match_strict(&[weight, bias], &checkpoint).unwrap();
    let error = match_strict(&[("hidden.dense.weight", &[3, 2]), ("gain", &[3])], &checkpoint).unwrap_err().to_string();
    for part in [
        "missing in the file (1): `gain`",
        "unknown to the network (1): `hidden.dense.bias`",
        "`hidden.dense.weight`: [2, 3] in the file, [3, 2] in the network (the transpose",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let loaded = match_some(&[weight, ("hidden.dense.bias", &[4]), ("gain", &[3])], &checkpoint);
    assert_eq!(loaded.taken, ["hidden.dense.weight"]);
    assert_eq!(loaded.missing, ["gain"]);
    assert_eq!(match_some(&[weight], &checkpoint).unknown, ["hidden.dense.bias"]);
    assert_eq!(loaded.unlike, [Unlike { name: "hidden.dense.bias".to_owned(), found: vec![3], expected: vec![4] }]);
}

#[test]
fn shapes_whose_product_overflows_are_refused() {
    let none = BTreeMap::new();
    for shape in [&[usize::MAX, 2][..], &[1 << 32, 1 << 32], &[usize::MAX, usize::MAX, usize::MAX]] {
        let error = format::header(&[("a", shape, &[1.0])], &none).unwrap_err().to_string();
        assert!(error.contains("`a`") && error.contains("1 values"), "{error}");
    }
    assert!(format::header(&[("a", &[usize::MAX, usize::MAX, 0], &[])], &none).is_ok());
    assert_eq!(match_some(&[("a", &[usize::MAX, 2])], &Checkpoint::default()).missing, ["a"]);
    assert!(match_strict(&[], &Checkpoint::default()).is_ok());
}

#[test]
fn paths_that_hold_no_checkpoint_are_refused_by_name() {
    let scratch = Scratch::new("paths");
    let (empty, text) = (scratch.0.join("empty"), scratch.0.join("text"));
    fs::write(&empty, "").unwrap();
    fs::write(&text, "[package]\nname = \"no checkpoint\"\n").unwrap();
    for (path, word) in [
        (scratch.0.as_path(), "directory"),
        (empty.as_path(), "cut off"),
        (text.as_path(), "the file is text"),
        (Path::new(""), "cannot read"),
        (Path::new("a\0b"), "cannot read"),
    ] {
        let error = load(path).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains(&path.display().to_string()), "{error}");
    }
    for path in [scratch.0.as_path(), Path::new(""), Path::new("/"), Path::new(".."), Path::new("a\0b"), &text.join("below")] {
        let error = save(path, &TENSORS, &metadata()).unwrap_err().to_string();
        assert!(error.contains("cannot write"), "{error}");
    }
    assert_eq!(scratch.files().len(), 2);
    // Devices are not read to their end.
    #[cfg(target_os = "linux")]
    for device in ["/dev/zero", "/dev/urandom"] {
        assert!(load(device).is_err_and(|error| error.to_string().contains(device)));
    }
}

/// What is no file stays what it is: the bytes go through it.
#[cfg(unix)]
#[test]
fn a_pipe_is_written_to_and_stays_a_pipe() {
    use std::os::unix::fs::FileTypeExt as _;
    let scratch = Scratch::new("pipe");
    let (pipe, file) = (scratch.0.join("pipe"), scratch.0.join("file"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe)
    });
    save(&pipe, &TENSORS, &metadata()).expect("it is written");
    save(&file, &TENSORS, &metadata()).expect("it is written");
    assert_eq!(reader.join().expect("no panic").expect("it is read"), fs::read(&file).expect("it is read"));
    assert!(fs::metadata(&pipe).expect("it is there").file_type().is_fifo());
}

/// Headers that promise more than there is, in bytes, tensors, dimensions or depth.
#[test]
fn hostile_headers_are_errors() {
    let file = |header: &str, values: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(vec![0; values]);
        bytes
    };
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!("{{\"a\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    let mut hostile = vec![
        u64::MAX.to_le_bytes().to_vec(),
        100_000_000u64.to_le_bytes().to_vec(),
        file("", 0),
        file("null", 0),
        file("[]", 0),
        file("{\"a\":null}", 0),
        file(&"[".repeat(1_000_000), 0),
        file(&"{\"a\":".repeat(1_000_000), 0),
        file("{\"__metadata__\":{\"gradc.format\":\"1\"}}", 0),
        file("{\"__metadata__\":{\"gradc.digest\":\"\"}}", 0),
        file("{\"__metadata__\":{\"a\":1}}", 0),
        file("{}", 8),
    ];
    for (shape, offsets) in [
        ("[18446744073709551615]", "[0,4]"),
        ("[18446744073709551616]", "[0,4]"),
        ("[4294967296,4294967296]", "[0,4]"),
        ("[-1]", "[0,4]"),
        ("[1.5]", "[0,4]"),
        ("[1]", "[4,0]"),
        ("[1]", "[0,18446744073709551615]"),
        ("[1]", "[18446744073709551612,18446744073709551615]"),
        ("[1]", "[0,5]"),
        ("[2]", "[0,4]"),
        ("[]", "[0,0]"),
        ("1", "[0,4]"),
        ("[1]", "[0]"),
    ] {
        hostile.push(file(&tensor("F32", shape, offsets), 4));
    }
    hostile.extend(
        ["F4", "F6_E2M3", "F8_E4M3", "BOOL", "U8", "C64", "", "f32"].map(|dtype| file(&tensor(dtype, "[1]", "[0,4]"), 4)),
    );
    for bytes in hostile {
        match format::parse(&bytes) {
            Ok(loaded) => panic!("{} was read as {loaded:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)])),
            Err(error) => assert!(error.to_string().contains("\nhelp: ") && error.to_string().len() < 2000, "{error}"),
        }
    }
    let loaded = format::parse(&file(&tensor("F32", "[9223372036854775807,0]", "[0,0]"), 0)).unwrap();
    assert_eq!(loaded.tensors["a"].1.len(), 0);
}
