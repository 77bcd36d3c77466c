//! Folders of PNG images.

use std::fs;
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType};
use rand::Rng as _;

use super::super::images;
use super::*;
use crate::random::Rng;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("gradc-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn with(self, file: &str, bytes: &[u8]) -> Folder {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn read(&self) -> Result<Arrays> {
        images(&self.0).read()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn png(colour: ColorType, depth: BitDepth, (width, height): (u32, u32), values: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        encoder.set_palette(vec![1, 2, 3, 4, 5, 6]);
    }
    encoder.write_header().unwrap().write_image_data(values).unwrap();
    bytes
}

fn grey(values: &[u8]) -> Vec<u8> {
    png(ColorType::Grayscale, BitDepth::Eight, (2, values.len() as u32 / 2), values)
}

fn pixels(arrays: &Arrays, shape: &[usize]) -> Vec<f32> {
    match &arrays.bind(&[input("x", shape)]).unwrap().columns[0].values {
        Values::F32(values) => values.clone(),
        Values::U32(_) => panic!("not numbers"),
    }
}

#[test]
fn a_subfolder_is_a_class() {
    let folder = Folder::new("classes")
        .with("dog/1.png", &grey(&[1, 2]))
        .with("cat/b.PNG", &grey(&[5, 6]))
        .with("cat/a.png", &grey(&[3, 4]))
        .with("cat/.hidden", b"")
        .with(".git/x", b"");
    fs::create_dir(folder.0.join("ant")).unwrap();
    let specs = [input("x", &[1, 1, 2]), target("y", Element::Class(3))];
    let data = Reader::from(folder.0.as_path()).rows(&specs, true).unwrap();
    assert_eq!(data.column("x").unwrap().values, Values::F32(vec![3., 4., 5., 6., 1., 2.]));
    assert_eq!(data.column("y").unwrap().values, Values::U32(vec![1, 1, 2]));
    assert_eq!(data.class_names("y"), ["ant", "cat", "dog"]);
    assert_eq!(data.shuffled(3).take(1).class_names("y"), ["ant", "cat", "dog"]);
    says(
        images(&folder.0).read().unwrap().bind(&[input("x", &[2]), target("y", Element::Class(4))]),
        &["ant, cat, dog", "class(4)"],
    );
    says(images(&folder.0).read().unwrap().bind(&[input("x", &[2]), target("y", Element::U32)]), &["3 classes", "`class`"]);
    let other =
        Folder::new("others").with("bat/1.png", &grey(&[1, 2])).with("cat/1.png", &grey(&[1, 2])).with("x/1.png", &grey(&[1, 2]));
    let other = Reader::from(other.0.as_path()).rows(&specs, true).unwrap();
    says(data.concat(&other), &["(bat, cat, x)", "(ant, cat, dog)"]);
}

#[test]
fn a_folder_without_subfolders_has_images_only() {
    let folder = Folder::new("flat").with("2.png", &grey(&[3, 4])).with("1.png", &grey(&[1, 2]));
    assert_eq!(folder.read().unwrap().titles(), ["u8[2, 1, 1, 2]"]);
    let specs = [input("x", &[2]), target("y", Element::Class(3))];
    assert_eq!(Reader::from(images(&folder.0)).rows(&specs, false).unwrap().columns().len(), 1);
    says(Reader::from(images(&folder.0)).rows(&specs, true), &["`y` class(3)"]);
}

#[test]
fn colours_and_depths_become_raw_values() {
    let read = |colour, depth, size, values: &[u8]| Folder::new("depths").with("1.png", &png(colour, depth, size, values)).read();
    let rgb = read(ColorType::Rgb, BitDepth::Eight, (2, 1), &[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(rgb.titles(), ["u8[1, 3, 1, 2]"]);
    assert_eq!(pixels(&rgb, &[3, 1, 2]), [1., 4., 2., 5., 3., 6.]);
    says(rgb.bind(&[input("x", &[1, 2, 3])]), &["[3, 1, 2]", "[1, 2, 3]"]);
    let palette = read(ColorType::Indexed, BitDepth::One, (2, 1), &[0b0100_0000]).unwrap();
    assert_eq!(pixels(&palette, &[6]), [1., 4., 2., 5., 3., 6.]);
    let bits = read(ColorType::Grayscale, BitDepth::One, (3, 1), &[0b1010_0000]).unwrap();
    assert_eq!(pixels(&bits, &[3]), [255., 0., 255.]);
    let deep = read(ColorType::Grayscale, BitDepth::Sixteen, (2, 1), &[0xff, 0xff, 0x01, 0x02]).unwrap();
    assert_eq!(pixels(&deep, &[2]), [255.0, 258.0 / 257.0]);
    let opaque = read(ColorType::GrayscaleAlpha, BitDepth::Eight, (2, 1), &[7, 255, 8, 255]).unwrap();
    assert_eq!(pixels(&opaque, &[2]), [7., 8.]);
    let opaque = read(ColorType::Rgba, BitDepth::Eight, (1, 1), &[7, 8, 9, 255]).unwrap();
    assert_eq!(pixels(&opaque, &[3]), [7., 8., 9.]);
    says(
        read(ColorType::Rgba, BitDepth::Eight, (1, 2), &[7, 8, 9, 255, 7, 8, 9, 0]),
        &["row 1, column 0", "1.png", "background"],
    );
}

#[test]
fn what_is_no_folder_of_images_is_refused_by_name() {
    let read = |name: &str, file: &str, bytes: &[u8]| Folder::new(name).with("a/1.png", &grey(&[1, 2])).with(file, bytes).read();
    says(read("no1", "a/2.png", &grey(&[1, 2, 3, 4])), &["2×2 grey", "2×1 grey", "2.png", "1.png"]);
    let coloured = png(ColorType::Rgb, BitDepth::Eight, (2, 1), &[1, 2, 3, 4, 5, 6]);
    says(read("no2", "b/2.png", &coloured), &["coloured", "grey"]);
    says(read("no3", "a/2.jpg", b""), &["2.jpg", "PNG"]);
    says(read("no4", "2.png", &grey(&[1, 2])), &["2.png", "beside"]);
    says(read("no5", "a/deep/2.png", &grey(&[1, 2])), &["deep", "images only"]);
    says(read("no6", "a/2.png", b"GIF89a"), &["2.png", "cannot be read", "PNG"]);
    says(read("no7", "a/2.png", b""), &["2.png", "cannot be read"]);
    says(Folder::new("no8").read(), &["no images"]);
    says(images("nowhere/at/all").read(), &["cannot read `nowhere/at/all`"]);
    says(images(Path::new("")).read(), &["cannot read"]);
    // An image of 2³⁰ by 2³⁰ pixels in 70 bytes; the checksum of the header is right.
    let mut huge = grey(&[1, 2]);
    huge[16..24].copy_from_slice(&[0x40, 0, 0, 0, 0x40, 0, 0, 0]);
    let mut sum = flate2::Crc::new();
    sum.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    says(read("no9", "a/2.png", &huge), &["1073741824×1073741824", "2.png"]);
}

/// Images cut off or altered anywhere are read or refused with their name.
#[test]
fn altered_images_are_read_or_refused() {
    let mut rng = Rng::new(13, 0);
    let mut random = |bound: usize| rng.next_u32() as usize % bound;
    let whole = [
        grey(&[1, 2, 3, 4]),
        png(ColorType::Rgba, BitDepth::Eight, (2, 2), &[255; 16]),
        png(ColorType::Indexed, BitDepth::One, (2, 2), &[0b0100_0000, 0b1000_0000]),
    ];
    let folder = Folder::new("altered");
    for turn in 0..600 {
        fs::write(folder.0.join("1.png"), altered(whole[turn % 3].clone(), &mut random)).unwrap();
        match folder.read() {
            Ok(arrays) => assert_eq!(arrays.titles().len(), 1),
            Err(error) => assert!(error.to_string().contains("help: ") && error.to_string().contains("1.png"), "{error}"),
        }
    }
}
