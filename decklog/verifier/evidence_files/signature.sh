#!/bin/sh
# Checks the log's Ed25519 signature on the checkpoint with OpenSSL.
#
#   sh tools/signature.sh VKEY checkpoint
set -eu
key=$1 signed=$2
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
# The signed text ends before the empty line; a signature line is "— NAME BASE64(4 bytes of key id, signature)".
sed '/^$/,$d' "$signed" >"$work/text"
grep -F "— ${key%%+*} " "$signed" | head -n 1 | cut -d' ' -f3 | base64 -d | tail -c +5 >"$work/signature"
# An Ed25519 public key as OpenSSL reads it (RFC 8410): a fixed head of 12 bytes, then the 32 bytes of the key.
printf '\060\052\060\005\006\003\053\145\160\003\041\000' >"$work/key.der"
printf %s "${key#*+*+}" | base64 -d | tail -c +2 >>"$work/key.der"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$work/text" -sigfile "$work/signature"
