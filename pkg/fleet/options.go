package fleet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	// DefaultName is the fleet's name when none is given.
	DefaultName = "demo"
)

// Options of Up.
type Options struct {
	// Name is a DNS label, DefaultName when empty.
	Name string
	// Dir receives everything, DefaultDir(Name) when empty. It must be empty or not exist.
	Dir string
	// Config is Default() when it has no clusters.
	Config Config
	// Runtime of the clusters whose configuration names none, RuntimeKwok when empty.
	Runtime string
	// Confirm is asked before packages are installed on this machine; nil is no.
	Confirm func(question string) bool
	// WithoutController leaves out spillway-controller; Targets are then not waited for.
	WithoutController bool
	// Retain leaves everything in place after a failure.
	Retain bool
	// Out receives a line per step.
	Out io.Writer
}

func (o Options) complete() (Options, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if err := errors.Join(nameErrors("the fleet's name", o.Name)...); err != nil {
		return o, err
	}
	if o.Runtime == "" {
		o.Runtime = RuntimeKwok
	}
	if err := errors.Join(runtimeErrors("the fleet's runtime", o.Runtime)...); err != nil {
		return o, err
	}
	if len(o.Config.Clusters) == 0 {
		o.Config = Default()
	}
	o.Config = o.Config.complete().withRuntime(o.Runtime)
	if err := o.Config.Validate(); err != nil {
		return o, err
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return o.withDir()
}

func (o Options) withDir() (Options, error) {
	var err error
	if o.Dir == "" {
		o.Dir, err = DefaultDir(o.Name)
	} else {
		o.Dir, err = filepath.Abs(o.Dir)
	}
	return o, err
}

// DefaultDir is where the fleet of this name lives unless Options.Dir says otherwise.
func DefaultDir(name string) (string, error) { return cacheDir("fleets", name) }

// failedDir receives the logs of a fleet that did not start, because its own folder is cleaned up.
func failedDir(name string) (string, error) { return cacheDir("failed", name) }

func cacheDir(elem ...string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache folder: %w", err)
	}
	return filepath.Join(append([]string{base, "spillway"}, elem...)...), nil
}
