#!/bin/sh
# Checks the log's Ed25519 signature on the checkpoint with OpenSSL.
#
#   sh tools/signature.sh VKEY checkpoint
set -eu
key=$1 signed=$2
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
# The signed text ends before the empty line; a signature line is "— NAME BASE64(4 bytes of key id, signature)". The log may
# have signed with several keys: the line is the one with the id of this key.
sed '/^$/,$d' "$signed" >"$work/text"
id=${key#*+} id=${id%%+*}
grep -F "— ${key%%+*} " "$signed" | cut -d' ' -f3 | while read -r line; do
  printf %s "$line" | base64 -d >"$work/line"
  test "$(head -c 4 "$work/line" | od -An -tx1 | tr -d ' \n')" = "$id" || continue
  tail -c +5 "$work/line" >"$work/signature"
done
test -e "$work/signature" || { echo "the key $id has not signed it" >&2; exit 1; }
# An Ed25519 public key as OpenSSL reads it (RFC 8410): a fixed head of 12 bytes, then the 32 bytes of the key.
printf '\060\052\060\005\006\003\053\145\160\003\041\000' >"$work/key.der"
printf %s "${key#*+*+}" | base64 -d | tail -c +2 >>"$work/key.der"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$work/text" -sigfile "$work/signature"
