#!/bin/sh
# Regenerates the test certificates: an authority, two servers' and a client's, valid for a hundred years.
set -e
cd "$(dirname "$0")"
new() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
new ca
openssl req -x509 -new -key ca.key -days 36500 -subj '/CN=tailrace tests' -out ca.pem
for name in server other client stranger; do
  new "$name"
  openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr"
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > "$name.ext"
  if [ "$name" = stranger ]; then
    openssl req -x509 -new -key stranger.key -days 36500 -subj /CN=stranger -out stranger.pem
  else
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 -extfile "$name.ext" -out "$name.pem"
  fi
  rm -f "$name.csr" "$name.ext"
done
rm -f ca.key ca.srl
