package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

const (
	admissionTimeout = time.Minute
	pollInterval     = time.Second
	annotationAsked  = "conformance.spillway.dev/asked"
)

//go:embed fleet.yaml
var fleetConfig []byte

//go:embed admission.yaml
var admission []byte

// up starts the fleet, or finds the one that runs in o.fleet, and makes the suite's pods burst in its source. down ends a
// fleet that is nobody else's.
func up(ctx context.Context, o options, log io.Writer) (f *fleet.Fleet, down func() error, err error) {
	config, err := fleet.Parse(fleetConfig)
	if err != nil {
		return nil, nil, err
	}
	down = func() error { return nil }
	options := fleet.Options{
		Name: "conformance", Dir: o.fleet, Config: config, Runtime: fleet.RuntimeContainerd, Out: log,
		Confirm: func(string) bool { return o.install },
	}
	if o.fleet == "" {
		temp, err := os.MkdirTemp("", "spillway-conformance-")
		if err != nil {
			return nil, nil, fmt.Errorf("making a folder for the fleet: %w", err)
		}
		options.Name, options.Dir = fmt.Sprintf("conformance-%d", os.Getpid()), filepath.Join(temp, "fleet")
		down = func() error {
			// Not ctx: after Ctrl-C, too, nothing is left.
			return errors.Join(fleet.Down(context.Background(), options.Dir, log), os.RemoveAll(temp))
		}
	}
	if f, err = fleet.Up(ctx, options); err != nil {
		return nil, nil, err // Up has cleaned up.
	}
	if err := elect(ctx, f); err != nil {
		return nil, nil, errors.Join(err, down())
	}
	return f, down, nil
}

// elect makes the source elect every pod of the suite, and waits until the API server heeds that.
func elect(ctx context.Context, f *fleet.Fleet) error {
	cmd := exec.CommandContext(ctx, f.Binary("kubectl"), "--kubeconfig="+f.Kubeconfig(f.Source()), "apply", "-f", "-")
	cmd.Stdin = bytes.NewReader(admission)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("electing the suite's pods: %w: %s", err, output)
	}
	config, err := f.RESTConfig(f.Source())
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client of the source: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, admissionTimeout)
	defer cancel()
	for {
		untainted, err := touchNode(ctx, client, v1alpha1.VirtualNodeName(f.Targets()[0]))
		if untainted || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the admission policies: the virtual node still has its taint: %w", ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

// touchNode changes the virtual node, so that the policy on nodes is asked, and tells whether it has taken the taint away. The
// policies are heeded in no order; this one is the last that the suite waits for.
func touchNode(ctx context.Context, client kubernetes.Interface, name string) (untainted bool, err error) {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("reading the virtual node: %w", err)
	}
	metav1.SetMetaDataAnnotation(&node.ObjectMeta, annotationAsked, time.Now().Format(time.RFC3339Nano))
	node, err = client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking the policy on nodes: %w", err)
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key == v1alpha1.TaintProvider {
			return false, nil
		}
	}
	return true, nil
}
