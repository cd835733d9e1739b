//! Counts the lines of a folder of objects as one library reads them: readers LIBRARY FOLDER.
use std::io::Read;

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let mut lines = 0;
    for entry in std::fs::read_dir(&args[2])? {
        let data = std::fs::read(entry?.path())?;
        let mut content = Vec::new();
        match args[1].as_str() {
            "gz" => flate2::read::GzDecoder::new(&data[..]).read_to_end(&mut content)?,
            "multigz" => flate2::read::MultiGzDecoder::new(&data[..]).read_to_end(&mut content)?,
            "ruzstd" => ruzstd::decoding::StreamingDecoder::new(&data[..])
                .map_err(std::io::Error::other)?
                .read_to_end(&mut content)?,
            _ => zstd::Decoder::new(&data[..])?.read_to_end(&mut content)?,
        };
        lines += content.iter().filter(|&&byte| byte == b'\n').count();
    }
    println!("{lines}");
    Ok(())
}
