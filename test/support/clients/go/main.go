// Sends numbered events with fluent-logger-golang: main NETWORK ADDRESS COUNT [ack] [async] [json].
package main

import (
	"log"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent/fluent-logger-golang/fluent"
)

func main() {
	network, address := os.Args[1], os.Args[2]
	count, _ := strconv.Atoi(os.Args[3])
	options := os.Args[4:]
	config := fluent.Config{
		FluentNetwork:         network,
		TagPrefix:             "app",
		RequestAck:            slices.Contains(options, "ack"),
		Async:                 slices.Contains(options, "async"),
		MarshalAsJSON:         slices.Contains(options, "json"),
		SubSecondPrecision:    !slices.Contains(options, "json"),
		TlsInsecureSkipVerify: network == "tls",
	}
	if network == "unix" {
		config.FluentSocketPath = address
	} else {
		host, port, _ := strings.Cut(address, ":")
		config.FluentHost = host
		config.FluentPort, _ = strconv.Atoi(port)
	}
	logger, err := fluent.New(config)
	if err != nil {
		log.Fatal(err)
	}
	for n := 1; n <= count; n++ {
		if err := logger.Post("go", map[string]any{"n": n, "text": "grün " + strconv.Itoa(n)}); err != nil {
			log.Fatal(err)
		}
	}
	if err := logger.Close(); err != nil {
		log.Fatal(err)
	}
}
