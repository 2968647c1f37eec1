package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spillway-dev/spillway/pkg/fleet/images"
)

const (
	testImages = "registry.k8s.io/e2e-test-images/"
	// imagesVersion is another whenever what images hold is: archives of an earlier one are not taken then.
	imagesVersion = "_images-3"
)

// The images of a real node, under the names that Kubernetes' own tests, and manuals, use.
var (
	pauseImages   = []string{"registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10.2"}
	busyboxImages = []string{
		testImages + "busybox:1.37.0-2", "docker.io/library/busybox:latest", "docker.io/library/busybox:stable",
		"docker.io/library/busybox:1.36", "docker.io/library/busybox:1.37",
	}
	agnhostImages  = []string{testImages + "agnhost:2.66.1", testImages + "agnhost:2.55"}
	nautilusImages = []string{testImages + "nautilus:1.8"}
)

// What is served by nautilus, an image for tests that scale and replace pods.
const nautilusData = `{"image": "nautilus.jpg"}`

// Users of an image. The one with a group is what Kubernetes' test of supplemental groups looks for in agnhost.
const (
	imageUsers = "root:x:0:0:root:/root:/bin/sh\n" +
		"user-defined-in-image:x:1000:1000::/home:/bin/sh\n" +
		"nobody:x:65534:65534::/:/bin/false\n"
	imageGroups = "root:x:0:\nuser-defined-in-image:x:1000:\n" +
		"group-defined-in-image:x:50000:user-defined-in-image\nnogroup:x:65534:\n"
)

// Stand-ins for two programs of the real agnhost: Kubernetes' tests give curl nothing but an address, and bash scripts that
// any shell runs.
const (
	curl = "#!/bin/sh\nexec wget -q -O - \"$1\"\n"
	bash = "#!/bin/sh\nexec sh \"$@\"\n"
)

// writeImages makes the archives of all images that are not there, out of binaries and of this machine's busybox.
func writeImages(bin string, s *steps) error {
	files, err := imageFiles(bin)
	if err != nil {
		return err
	}
	if missing := firstMissing(files); missing == "" {
		return nil
	}
	return s.do("writing container images", func() error {
		dir := filepath.Dir(files[0])
		all, err := nodeImages(bin, dir)
		if err != nil {
			return err
		}
		for name, image := range all {
			if err := writeImage(imageFile(dir, name), image); err != nil {
				return err
			}
		}
		return nil
	})
}

// imageFiles are the archives of all images, in a folder for each version of the binaries.
func imageFiles(bin string) ([]string, error) {
	dir, err := cacheDir("images", filepath.Base(bin)+imagesVersion)
	if err != nil {
		return nil, err
	}
	return []string{imageFile(dir, pause), imageFile(dir, busybox), imageFile(dir, agnhost), imageFile(dir, nautilus)}, nil
}

func imageFile(dir, name string) string { return filepath.Join(dir, name+".tar") }

func firstMissing(files []string) string {
	for _, file := range files {
		if !exists(file) {
			return file
		}
	}
	return ""
}

// writeImage writes under another name first, so that half an archive is never taken for one.
func writeImage(file string, image images.Image) error {
	draft, err := os.CreateTemp(filepath.Dir(file), "*.new")
	if err != nil {
		return fmt.Errorf("writing an image: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	if err := image.Write(draft); err != nil {
		_ = draft.Close()
		return err
	}
	if err := draft.Close(); err != nil {
		return fmt.Errorf("writing an image: %w", err)
	}
	return os.Rename(draft.Name(), file)
}

// nodeImages describes the images; what has to be made for them is put into dir.
func nodeImages(bin, dir string) (map[string]images.Image, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of images: %w", err)
	}
	ca, err := newAuthority(dir, "localhost-ca")
	if err != nil {
		return nil, err
	}
	if err := ca.server("localhost"); err != nil {
		return nil, err
	}
	box := findProgram(busybox)
	applets, err := exec.Command(box, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("asking busybox what it can: %w", err)
	}
	system := systemFiles(box, strings.Fields(string(applets)))
	host := slices.Concat(system, []images.File{
		{Path: agnhost, From: filepath.Join(bin, agnhost)},
		{Path: "agnhost-2", Link: "/agnhost"}, // what tests of entrypoints start instead
		{Path: "bin/curl", Text: curl}, {Path: "bin/bash", Text: bash},
		{Path: "localhost.crt", From: filepath.Join(dir, "localhost.crt")}, // with which agnhost serves HTTPS
		{Path: "localhost.key", From: filepath.Join(dir, "localhost.key")},
		{Path: "uploads", Dir: true, Mode: 0o777},
	})
	arch := runtime.GOARCH
	return map[string]images.Image{
		pause: {Names: pauseImages, Architecture: arch, Entrypoint: []string{"/pause"},
			Files: []images.File{{Path: pause, From: filepath.Join(bin, pause)}}},
		busybox: {Names: busyboxImages, Architecture: arch, Cmd: []string{"sh"}, Files: system},
		agnhost: {Names: agnhostImages, Architecture: arch, Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"}, Files: host},
		nautilus: {Names: nautilusImages, Architecture: arch, Cmd: []string{"httpd", "-f", "-h", "/srv"},
			Files: append(system, images.File{Path: "srv/data.json", Mode: 0o644, Text: nautilusData})},
	}, nil
}

// systemFiles are a small system: busybox, as all its applets.
func systemFiles(box string, applets []string) []images.File {
	files := []images.File{
		{Path: "bin/busybox", From: box},
		{Path: "etc/passwd", Mode: 0o644, Text: imageUsers},
		{Path: "etc/group", Mode: 0o644, Text: imageGroups},
		{Path: "tmp", Dir: true, Mode: 0o1777},
		{Path: "root", Dir: true, Mode: 0o700},
		{Path: "home", Dir: true}, {Path: "usr/bin", Dir: true}, {Path: "var", Dir: true},
	}
	for _, applet := range applets {
		if applet != busybox {
			files = append(files, images.File{Path: "bin/" + applet, Link: "/bin/busybox"})
		}
	}
	return files
}
