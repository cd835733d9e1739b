// Counts the lines of a folder of objects as one library reads them: readers LIBRARY FOLDER.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

func open(library string, in io.Reader) (io.Reader, error) {
	switch library {
	case "gzip":
		return gzip.NewReader(in)
	case "klauspost":
		return kgzip.NewReader(in)
	case "pgzip":
		return pgzip.NewReader(in)
	default:
		return zstd.NewReader(in)
	}
}

func main() {
	lines := 0
	files, err := filepath.Glob(filepath.Join(os.Args[2], "*"))
	for _, file := range files {
		var data, content []byte
		var reader io.Reader
		if data, err = os.ReadFile(file); err != nil {
			break
		}
		if reader, err = open(os.Args[1], bytes.NewReader(data)); err != nil {
			break
		}
		if content, err = io.ReadAll(reader); err != nil {
			break
		}
		lines += bytes.Count(content, []byte{'\n'})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(lines)
}
