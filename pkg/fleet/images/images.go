// Package images writes container images without a container engine. What enters are files of this machine; what leaves is
// an archive of one layer, in the format of `docker save`, that containerd imports. Equal files make equal archives.
package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Image is one image, under all its names.
type Image struct {
	// Names are complete: registry, repository and tag.
	Names []string
	// Architecture is Go's word for it, such as amd64.
	Architecture    string
	Entrypoint, Cmd []string
	Files           []File
}

// File is a file, a link or a folder of an image. The folders above it need not be listed.
type File struct {
	Path string // without leading slash
	Mode int64  // 0755 when 0
	Dir  bool
	Link string // what a symbolic link names
	From string // a file on this machine
	Text string // what the file holds, unless From is given
}

// manifest is an entry of manifest.json.
type manifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// config is what a runtime reads of an image.
type config struct {
	Architecture string  `json:"architecture"`
	OS           string  `json:"os"`
	Config       process `json:"config"`
	RootFS       rootFS  `json:"rootfs"`
}

type process struct {
	Env, Entrypoint, Cmd []string
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// Write writes the archive.
func (i Image) Write(w io.Writer) error {
	layer, err := i.layer()
	if err != nil {
		return err
	}
	settings, err := json.Marshal(config{
		Architecture: i.Architecture, OS: "linux",
		Config: process{Env: []string{searchPath}, Entrypoint: i.Entrypoint, Cmd: i.Cmd},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return fmt.Errorf("encoding an image's configuration: %w", err)
	}
	name := fmt.Sprintf("%x.json", sha256.Sum256(settings))
	list, err := json.Marshal([]manifest{{Config: name, RepoTags: i.Names, Layers: []string{"layer.tar"}}})
	if err != nil {
		return fmt.Errorf("encoding an image's manifest: %w", err)
	}
	archive := tar.NewWriter(w)
	for _, entry := range []struct {
		name string
		data []byte
	}{{name, settings}, {"layer.tar", layer}, {"manifest.json", list}} {
		if err := add(archive, tar.Header{Name: entry.name, Mode: 0o644}, entry.data); err != nil {
			return err
		}
	}
	return archive.Close()
}

// layer returns the files as one tar file.
func (i Image) layer() ([]byte, error) {
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	made := map[string]bool{}
	for _, f := range i.Files {
		if err := addFolders(archive, made, path.Dir(f.Path)); err != nil {
			return nil, err
		}
		header, data, err := f.entry()
		if err != nil {
			return nil, err
		}
		made[f.Path] = f.Dir
		if err := add(archive, header, data); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("writing a layer: %w", err)
	}
	return layer.Bytes(), nil
}

// addFolders adds a folder and those above it, unless they are there.
func addFolders(archive *tar.Writer, made map[string]bool, folder string) error {
	if folder == "." || made[folder] {
		return nil
	}
	if err := addFolders(archive, made, path.Dir(folder)); err != nil {
		return err
	}
	made[folder] = true
	return add(archive, tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755}, nil)
}

func (f File) entry() (tar.Header, []byte, error) {
	header := tar.Header{Name: strings.TrimPrefix(f.Path, "/"), Mode: f.Mode}
	if header.Mode == 0 {
		header.Mode = 0o755
	}
	switch {
	case f.Dir:
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		return header, nil, nil
	case f.Link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.Link
		return header, nil, nil
	case f.From == "":
		return header, []byte(f.Text), nil
	}
	data, err := os.ReadFile(f.From)
	if err != nil {
		return header, nil, fmt.Errorf("reading a file for an image: %w", err)
	}
	return header, data, nil
}

func add(archive *tar.Writer, header tar.Header, data []byte) error {
	header.Size = int64(len(data))
	if err := archive.WriteHeader(&header); err != nil {
		return fmt.Errorf("writing an image: %w", err)
	}
	if _, err := archive.Write(data); err != nil {
		return fmt.Errorf("writing an image: %w", err)
	}
	return nil
}
