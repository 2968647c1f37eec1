package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func example(t *testing.T) Image {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(program, []byte("ELF"), 0o600))
	return Image{
		Names: []string{"example.com/x:1"}, Architecture: "amd64", Cmd: []string{"sh"},
		Files: []File{
			{Path: "usr/bin/x", From: program},
			{Path: "usr/bin/y", Link: "/usr/bin/x"},
			{Path: "tmp", Dir: true, Mode: 0o1777},
			{Path: "etc/passwd", Mode: 0o644, Text: "root"},
		},
	}
}

func TestArchiveIsWhatDockerSaves(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, example(t).Write(&out))

	archive, _ := read(t, out.Bytes())
	var list []manifest
	require.NoError(t, json.Unmarshal(archive["manifest.json"], &list))
	require.Len(t, list, 1)
	assert.Equal(t, []string{"example.com/x:1"}, list[0].RepoTags)
	var settings config
	require.NoError(t, json.Unmarshal(archive[list[0].Config], &settings))
	assert.Equal(t, []string{"sh"}, settings.Config.Cmd)
	layer := archive[list[0].Layers[0]]
	assert.Equal(t, []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}, settings.RootFS.DiffIDs)
}

func TestLayerHasFilesLinksAndTheFoldersAboveThem(t *testing.T) {
	layer, err := example(t).layer()
	require.NoError(t, err)

	files, headers := read(t, layer)
	var order []string
	for _, header := range headers {
		order = append(order, header.Name)
	}
	assert.Equal(t, []string{"usr/", "usr/bin/", "usr/bin/x", "usr/bin/y", "tmp/", "etc/", "etc/passwd"}, order)
	assert.Equal(t, "ELF", string(files["usr/bin/x"]))
	assert.EqualValues(t, 0o755, headers[2].Mode, "a program can be run, whatever its file here allows")
	assert.Equal(t, "/usr/bin/x", headers[3].Linkname)
	assert.EqualValues(t, 0o1777, headers[4].Mode)
}

func TestEqualFilesMakeEqualArchives(t *testing.T) {
	var first, second bytes.Buffer
	require.NoError(t, example(t).Write(&first))
	require.NoError(t, example(t).Write(&second))

	assert.Equal(t, first.Bytes(), second.Bytes())
}

func TestFileThatIsNotThere(t *testing.T) {
	err := Image{Files: []File{{Path: "x", From: "/does/not/exist"}}}.Write(&bytes.Buffer{})

	assert.ErrorContains(t, err, "reading a file for an image: ")
}

func read(t *testing.T, data []byte) (files map[string][]byte, headers []*tar.Header) {
	t.Helper()
	files = map[string][]byte{}
	archive := tar.NewReader(bytes.NewReader(data))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, headers
		}
		require.NoError(t, err)
		content, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[header.Name], headers = content, append(headers, header)
	}
}
