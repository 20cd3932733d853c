// Checks inclusion proofs (c2sp.org/tlog-proof) with golang.org/x/mod/sumdb and nothing else.
//
//	go run . VKEY ../leaves/*/proof.tlog-proof
//	go run . VKEY ../log FIRST END
//	go run . VKEY ../time/consistency [VKEY]
//
// Each proof is of the receipt.json beside it, in the tree whose checkpoint the key VKEY signed. Of a folder with a part
// of a log (c2sp.org/tlog-tiles) each entry from leaf FIRST up to END, which is not included, and the one on each side is
// held against the tree of ../checkpoint, and printed behind its number; one that is missing is an error. A consistency
// proof shows that this tree begins with the one of the checkpoint beside the proof, which an earlier key of the log may
// have signed: the second VKEY.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 3 {
		fail("", errors.New("usage: go run . VKEY PROOF... or FOLDER FIRST END"))
	}
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		fail("VKEY", err)
	}
	if where, err := os.Stat(os.Args[2]); err == nil && where.IsDir() {
		if len(os.Args) != 5 {
			fail(os.Args[2], errors.New("usage: go run . VKEY FOLDER FIRST END"))
		}
		first, err := strconv.ParseInt(os.Args[3], 10, 64)
		if err != nil {
			fail("FIRST", err)
		}
		end, err := strconv.ParseInt(os.Args[4], 10, 64)
		if err != nil {
			fail("END", err)
		}
		if err := list(os.Args[2], verifier, first, end); err != nil {
			fail(os.Args[2], err)
		}
		return
	}
	if filepath.Base(os.Args[2]) == "consistency" {
		before := verifier
		if len(os.Args) > 3 {
			if before, err = note.NewVerifier(os.Args[3]); err != nil {
				fail("VKEY", err)
			}
		}
		if err := grown(os.Args[2], verifier, before); err != nil {
			fail(os.Args[2], err)
		}
		return
	}
	for _, name := range os.Args[2:] {
		if err := check(name, verifier); err != nil {
			fail(name, err)
		}
	}
	fmt.Printf("%d receipts are in the log %s\n", len(os.Args)-2, verifier.Name())
}

func fail(name string, err error) {
	fmt.Fprintln(os.Stderr, name, err)
	os.Exit(1)
}

func check(name string, verifier note.Verifier) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	receipt, err := os.ReadFile(filepath.Join(filepath.Dir(name), "receipt.json"))
	if err != nil {
		return err
	}
	head, signed, _ := strings.Cut(string(text), "\n\n")
	tree, err := open([]byte(signed), verifier)
	if err != nil {
		return err
	}
	index, proof, err := parse(head)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(receipt))
}

// open verifies a checkpoint (c2sp.org/tlog-checkpoint).
func open(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	var tree tlog.Tree
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree, errors.New("not a checkpoint of this log")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func parse(head string) (int64, tlog.RecordProof, error) {
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, nil, errors.New("not a proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 {
		return 0, nil, errors.New("no index")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return 0, nil, err
	}
	proof, err := hashes(lines[1:])
	return index, proof, err
}

// grown checks that the tree of the bundle's checkpoint goes on from that of the one beside the proof.
func grown(name string, verifier, before note.Verifier) error {
	dir := filepath.Dir(name)
	var trees [2]tlog.Tree
	for i, file := range []string{filepath.Join(dir, "checkpoint"), filepath.Join(dir, "..", "checkpoint")} {
		signed, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if trees[i], err = open(signed, []note.Verifier{before, verifier}[i]); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if lines[0] != fmt.Sprintf("old %d", trees[0].N) {
		return errors.New("a proof of another tree")
	}
	proof, err := hashes(lines[1:])
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, trees[1].N, trees[1].Hash, trees[0].N, trees[0].Hash); err != nil {
		return err
	}
	fmt.Printf("the %d leaves begin with the %d\n", trees[1].N, trees[0].N)
	return nil
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, line := range lines {
		data, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(data) != tlog.HashSize {
			return nil, errors.New("not a hash")
		}
		found = append(found, tlog.Hash(data))
	}
	return found, nil
}

// list prints each entry of a stretch, and the one on each side, once all of them are held against the signed tree.
func list(dir string, verifier note.Verifier, first, end int64) error {
	signed, err := os.ReadFile(filepath.Join(dir, "..", "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := open(signed, verifier)
	if err != nil {
		return err
	}
	if first < 0 || first > end || end > tree.N {
		return fmt.Errorf("there are no leaves from %d up to %d: the log has %d", first, end, tree.N)
	}
	first, end = max(first-1, 0), min(end+1, tree.N)
	stored := tlog.TileHashReader(tree, &part{dir})
	out := bufio.NewWriter(os.Stdout)
	for start := first >> height << height; start < end; start += 1 << height {
		tile := tlog.Tile{H: height, L: 0, N: start >> height, W: int(min(tree.N-start, 1<<height))}
		data, err := os.ReadFile(filepath.Join(dir, strings.Replace(path(tile), "tile/0/", "tile/entries/", 1)))
		if err != nil {
			return fmt.Errorf("the entries from leaf %d on are missing: %w", start, err)
		}
		for index := start; index < start+int64(tile.W); index++ {
			want, err := stored.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			if err != nil {
				return err
			}
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("the entries end within %d", index)
			}
			after := 2 + int(binary.BigEndian.Uint16(data))
			if tlog.RecordHash(data[2:after]) != want[0] {
				return fmt.Errorf("entry %d is not in the tree", index)
			}
			if first <= index && index < end {
				fmt.Fprintf(out, "%012d %s\n", index, data[2:after])
			}
			data = data[after:]
		}
		if len(data) > 0 {
			return fmt.Errorf("there is more behind the entries from leaf %d on", start)
		}
	}
	return out.Flush()
}

const height = 8

// part reads tiles by the paths of c2sp.org/tlog-tiles, which leave out the height.
type part struct{ dir string }

func (p *part) Height() int { return height }

func (p *part) SaveTiles([]tlog.Tile, [][]byte) {}

func (p *part) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(p.dir, path(tile)))
		if errors.Is(err, os.ErrNotExist) && tile.W < 1<<height {
			whole := tile
			whole.W = 1 << height
			if data, err = os.ReadFile(filepath.Join(p.dir, path(whole))); err == nil {
				data = data[:tile.W*tlog.HashSize]
			}
		}
		if err != nil {
			return nil, err
		}
		found[i] = data
	}
	return found, nil
}

func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}
