// Command tlogcheck checks a published log with golang.org/x/mod/sumdb/{note,tlog} and nothing of ours.
//
//	tlogcheck DIR VKEY [PROOFS]
//
// It opens the checkpoint, authenticates every tile from its root, holds every entry against its leaf hash, and checks
// the proofs of a file, one JSON object a line: {"index", "hashes"} or {"size", "root", "hashes"}, in base64. It ends
// with status 1 and one line on standard error at the first thing that is wrong.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) < 3 {
		fail(errors.New("usage: tlogcheck DIR VKEY [PROOFS]"))
	}
	tree, err := open(os.Args[1], os.Args[2])
	if err != nil {
		fail(err)
	}
	hashes := tlog.TileHashReader(tree, &folder{os.Args[1]})
	if err := entries(os.Args[1], tree, hashes); err != nil {
		fail(err)
	}
	if err := ownProofs(tree, hashes); err != nil {
		fail(err)
	}
	count := 0
	if len(os.Args) > 3 {
		if count, err = givenProofs(os.Args[3], tree, hashes); err != nil {
			fail(err)
		}
	}
	fmt.Printf("%d leaves, root %v, %d proofs\n", tree.N, tree.Hash, count)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// open verifies the checkpoint. tlog.ParseTree insists on the first line of the Go checksum database, so the three
// lines of c2sp.org/tlog-checkpoint are read here.
func open(dir, vkey string) (tlog.Tree, error) {
	var tree tlog.Tree
	data, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return tree, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, errors.New("not a checkpoint of this log")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// folder reads tiles by the paths of c2sp.org/tlog-tiles, which leave out the height.
type folder struct{ dir string }

func (f *folder) Height() int { return height }

func (f *folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f *folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(f.dir, path(tile)))
		if errors.Is(err, os.ErrNotExist) && tile.W < 1<<height {
			whole := tile
			whole.W = 1 << height
			if data, err = os.ReadFile(filepath.Join(f.dir, path(whole))); err == nil {
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

// entries holds every entry against the leaf hash that the signed root vouches for.
func entries(dir string, tree tlog.Tree, hashes tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += 1 << height {
		width := min(tree.N-first, 1<<height)
		tile := tlog.Tile{H: height, L: 0, N: first >> height, W: int(width)}
		name, data, err := bundle(dir, tile)
		if err != nil {
			return err
		}
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		want, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, hash := range want {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("%s ends within entry %d", name, i)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			if tlog.RecordHash(data[2:end]) != hash {
				return fmt.Errorf("entry %d is not in the tree", first+int64(i))
			}
			data = data[end:]
		}
		if len(data) != 0 && strings.HasSuffix(path(tile), name[len("tile/entries/"):]) {
			return fmt.Errorf("%s has bytes behind its last entry", name)
		}
	}
	return nil
}

// bundle reads the entries beside a tile of leaf hashes; a whole bundle stands in for a partial one that is gone.
func bundle(dir string, tile tlog.Tile) (string, []byte, error) {
	name := strings.Replace(path(tile), "tile/0/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) && tile.W < 1<<height {
		tile.W = 1 << height
		return bundle(dir, tile)
	}
	return name, data, err
}

// ownProofs makes proofs of the first, the last and some leaf between, and of some older trees, and checks them.
func ownProofs(tree tlog.Tree, hashes tlog.HashReader) error {
	for _, index := range []int64{0, tree.N / 2, tree.N - 1} {
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0]); err != nil {
			return err
		}
	}
	for _, size := range []int64{1, tree.N/2 + 1, tree.N} {
		old, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, size, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, old); err != nil {
			return err
		}
	}
	return nil
}

type given struct {
	Index  *int64   `json:"index"`
	Size   int64    `json:"size"`
	Root   string   `json:"root"`
	Hashes []string `json:"hashes"`
}

// givenProofs checks proofs that others made against this tree.
func givenProofs(name string, tree tlog.Tree, hashes tlog.HashReader) (int, error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		var one given
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return count, err
		}
		if err := check(one, tree, hashes); err != nil {
			return count, fmt.Errorf("proof %d: %w", count, err)
		}
	}
	return count, nil
}

func check(one given, tree tlog.Tree, hashes tlog.HashReader) error {
	proof := make([]tlog.Hash, len(one.Hashes))
	for i, text := range one.Hashes {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(data) != tlog.HashSize {
			return errors.New("not a hash")
		}
		copy(proof[i][:], data)
	}
	if one.Index != nil {
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, *one.Index)})
		if err != nil {
			return err
		}
		return tlog.CheckRecord(proof, tree.N, tree.Hash, *one.Index, leaf[0])
	}
	old, err := tlog.ParseHash(one.Root)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, one.Size, old)
}
