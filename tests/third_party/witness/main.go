// Command cosigned verifies the cosignatures of a checkpoint with filippo.io/torchwood and golang.org/x/mod/sumdb/note.
//
//	cosigned CHECKPOINT LOG_VKEY WITNESS_VKEY...
//
// It prints the names of those who vouch for it, and fails if one of them does not.
package main

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file, log string, witnesses []string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(log)
	if err != nil {
		return err
	}
	verifiers := []note.Verifier{verifier}
	for _, vkey := range witnesses {
		cosigner, err := cosignatureVerifier(vkey)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, cosigner)
	}
	opened, err := note.Open(data, note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	if _, err := torchwood.ParseCheckpoint(opened.Text); err != nil {
		return err
	}
	if len(opened.Sigs) != len(verifiers) {
		return fmt.Errorf("%d of %d vouch for it", len(opened.Sigs), len(verifiers))
	}
	for _, signature := range opened.Sigs {
		fmt.Println(signature.Name)
	}
	return nil
}

// cosignatureVerifier is torchwood's, which this release makes of a signer only: of one that has no more than its public key.
func cosignatureVerifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a verifier key")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	if len(raw) != 1+ed25519.PublicKeySize || raw[0] != 4 {
		return nil, errors.New("not an Ed25519 key that cosigns")
	}
	signer, err := torchwood.NewCosignatureSigner(parts[0], publicKey(raw[1:]))
	if err != nil {
		return nil, err
	}
	return signer.Verifier(), nil
}

type publicKey ed25519.PublicKey

func (k publicKey) Public() crypto.PublicKey { return ed25519.PublicKey(k) }

func (publicKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("only the public key is known")
}
