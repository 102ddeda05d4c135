//! Marks among the tiles of a picture: tokens, positions, targets and counts.

use super::{SHAPE, config, source, tokenizer};
use crate::data::image::Picture;
use crate::data::layout::{Cell, Layout};
use crate::data::pack::Packer;
use crate::data::source::Part;
use crate::data::tiles::{Marks, Overview, Tiles};
use crate::data::{BatchShape, MixtureUnit};

fn picture(columns: usize, rows: usize) -> Picture {
    let (width, height) = (columns * 16, rows * 16);
    Picture {
        width,
        height,
        rgb: vec![90; width * height * 3],
    }
}

fn tiles(count: usize, overview: Overview, marks: Marks) -> Tiles {
    Tiles::Dynamic {
        least: count,
        most: count,
        overview,
        last: 1024,
        marks,
    }
}

/// Two pictures, the first shown once, then one in 2 × 2 tiles, written out by hand.
#[test]
fn separators_are_shown_and_not_learnt() {
    let tokenizer = tokenizer();
    let id = |text: &str| match tokenizer.encode(text).expect("encodes")[..] {
        [id] => id as i32,
        ref ids => panic!("`{text}` is {ids:?}"),
    };
    let [comma, line, colon] = [",", "\n", ":"].map(id);
    let mut config = config(MixtureUnit::Example);
    config.sources = vec![source("documents", "interleaved", 1.0)];
    config.image.tiles = Tiles::Grid {
        side: 2,
        overview: Overview::Last,
        last: 1,
        marks: Marks::Separators,
    };
    let shape = BatchShape {
        sequences: 1,
        image_tokens: 2,
        ..SHAPE
    };
    let layout = Layout {
        tokenizer: &tokenizer,
        image: &config.image,
        shape,
        max_pictures: 4,
    };
    let parts = [
        Part::Picture(picture(2, 2)),
        Part::Picture(picture(2, 2)),
        Part::Text("red".to_owned()),
    ];
    let example = layout.example(&parts).expect("fits");
    assert_eq!((example.pictures, example.images.len()), (2, 6));
    // What the mixture counts knows nothing of pictures.
    let red = tokenizer.encode("red").expect("encodes");
    assert_eq!(example.mixture_tokens, 2 + red.len() as u64);
    let mut packer = Packer::new(&config, shape);
    packer.place(0, 0, &example, Vec::new());
    packer.close();
    let batch = packer.batch;
    let (begin, end) = (tokenizer.begin() as i32, tokenizer.end() as i32);
    let mut tokens = vec![
        begin, -1, -1, -1, -1, comma, -1, -1, line, -1, -1, comma, -1, -1, colon, -1, -1,
    ];
    let rows = vec![-1, 0, 1, 2, 3, -1, 4, 5, -1, 6, 7, -1, 8, 9, -1, 10, 11];
    assert_eq!(batch.image_rows[..rows.len()], rows);
    let words = tokens.len();
    tokens.extend(red.iter().map(|&id| id as i32).chain([end]));
    assert_eq!(batch.tokens[..tokens.len()], tokens);
    let positions: Vec<i32> = (0..tokens.len() as i32).collect();
    assert_eq!(batch.positions[..tokens.len()], positions);
    // Only the words and the end are targets, the first of them of the overview's last position.
    let targets: Vec<i32> = (words as i32 - 1..tokens.len() as i32 - 1).collect();
    assert_eq!(batch.loss_rows, targets);
    assert_eq!(batch.loss_targets, tokens[words..]);
    assert_eq!(batch.stats.image_tokens, 12 + 4);
    assert_eq!(batch.stats.text_tokens, 2 + red.len() as u64);
    // One position less, and the tiles have no room: the picture and its text are left out.
    for (length, images) in [(words + 2, 6), (words + 1, 1)] {
        let layout = Layout {
            shape: BatchShape { length, ..shape },
            ..layout
        };
        let example = layout.example(&parts).expect("cut");
        assert_eq!(example.images.len(), images, "{length}");
        assert!(example.cells.len() <= length);
    }
}

/// Order and indices of tiles are those of transformers' Idefics 3, which has them as tokens.
#[test]
fn indices_are_those_of_another_program() {
    let fixture = include_str!("../../../tests/fixtures/tiles/idefics3.txt");
    let tokenizer = tokenizer();
    let mut checked = 0;
    for line in fixture.lines() {
        let mut words = line.split(' ');
        let mut number = || words.next().and_then(|it| it.parse::<usize>().ok());
        let (Some(rows), Some(columns), Some(tokens)) = (number(), number(), number()) else {
            panic!("{line}");
        };
        let theirs = words.next().expect("a prompt");
        let mut theirs = theirs.replace("<fake>", "").replace("<line>", "");
        theirs = theirs.replace("<global-img>", "(1,0,0)");
        for (row, column) in (1..=rows).flat_map(|i| (1..=columns).map(move |j| (i, j))) {
            let mark = format!("<row_{row}_col_{column}>");
            theirs = theirs.replace(&mark, &format!("(1,{row},{column})"));
        }
        let mut image = config(MixtureUnit::Example).image;
        image.tiles = tiles(rows * columns, Overview::Last, Marks::Index);
        let layout = Layout {
            tokenizer: &tokenizer,
            image: &image,
            shape: BatchShape {
                length: 400,
                max_images: 16,
                image_tokens: tokens,
                ..SHAPE
            },
            max_pictures: 2,
        };
        let place = crate::data::layout::Place {
            number: 1,
            cut: true,
            first: 3,
        };
        let (inputs, cells) = layout
            .picture(&picture(columns, rows), place)
            .expect("encodes");
        assert_eq!(inputs, rows * columns + 1);
        let (mut ours, mut mark, mut seen) = (String::new(), Vec::new(), Vec::new());
        for cell in cells {
            match cell {
                Cell::Mark { id } => mark.push(id),
                Cell::Image { image, token } => {
                    ours += &tokenizer
                        .decode(&std::mem::take(&mut mark))
                        .expect("decodes");
                    ours += "<image>";
                    seen.push((image, token));
                }
                Cell::Text { .. } => panic!("a picture has no text to learn"),
            }
        }
        assert_eq!(ours, theirs, "{line}");
        let images = 3..3 + inputs as u32;
        let each = images.flat_map(|image| (0..tokens as u32).map(move |token| (image, token)));
        assert!(seen.into_iter().eq(each));
        checked += 1;
    }
    assert_eq!(checked, 6);
}
