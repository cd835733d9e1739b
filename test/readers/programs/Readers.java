import java.io.*;
import java.nio.file.*;
import java.util.zip.GZIPInputStream;

/** Counts the lines of a folder of objects as one library reads them: Readers LIBRARY FOLDER. */
public class Readers {
  public static void main(String[] args) throws Exception {
    long lines = 0;
    try (var files = Files.newDirectoryStream(Path.of(args[1]))) {
      for (Path file : files) {
        try (InputStream in = open(args[0], new FromNetwork(Files.newInputStream(file)))) {
          byte[] buffer = new byte[65536];
          for (int n = in.read(buffer); n != -1; n = in.read(buffer)) {
            for (int i = 0; i < n; i++) if (buffer[i] == '\n') lines++;
          }
        }
      }
    }
    System.out.println(lines);
  }

  static InputStream open(String library, InputStream in) throws Exception {
    switch (library) {
      case "gzip": return new GZIPInputStream(in);
      case "commons": return new org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream(in);
      case "aircompressor": return new io.airlift.compress.gzip.JdkGzipHadoopStreams().createInputStream(in);
      case "aircompressor_zstd": return new io.airlift.compress.zstd.ZstdInputStream(in);
      case "zstd_jni": return new com.github.luben.zstd.ZstdInputStream(in);
      default: throw new IllegalArgumentException(library);
    }
  }

  /** As the body of an S3 response: what is available is often nothing, and reads are short. */
  static class FromNetwork extends FilterInputStream {
    FromNetwork(InputStream in) { super(in); }
    @Override public int available() { return 0; }
    @Override public int read(byte[] bytes, int from, int length) throws IOException {
      return super.read(bytes, from, Math.min(length, 1460));
    }
  }
}
