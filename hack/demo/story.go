package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/fleet"
	"github.com/spillway-dev/spillway/pkg/placement"
)

const (
	fieldOwner   = client.FieldOwner("spillway-demo")
	pollInterval = 200 * time.Millisecond
	patience     = 90 * time.Second
)

// story is what the chapters share. Writing goes on after an error, which next returns.
type story struct {
	client    client.Client
	clientset kubernetes.Interface
	out       io.Writer
	err       error

	jobPods  []corev1.Pod
	burstPod string
}

func newStory(f *fleet.Fleet, out io.Writer) (*story, error) {
	config, err := f.RESTConfig(f.Source())
	if err != nil {
		return nil, err
	}
	known := runtime.NewScheme()
	if err := scheme.AddToScheme(known); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(known); err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: known})
	if err != nil {
		return nil, fmt.Errorf("connecting to the source cluster: %w", err)
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the source cluster: %w", err)
	}
	return &story{client: c, clientset: clientset, out: out}, nil
}

func (s *story) heading(format string, args ...any) {
	s.write("\n== " + fmt.Sprintf(format, args...) + "\n\n")
}

func (s *story) say(format string, args ...any) { s.write("  " + fmt.Sprintf(format, args...) + "\n") }

func (s *story) write(text string) {
	if _, err := io.WriteString(s.out, text); s.err == nil {
		s.err = err
	}
}

// table indents what a report writes.
func (s *story) table(write func(io.Writer) error) error {
	var text strings.Builder
	if err := write(&text); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		s.write("  " + line)
	}
	return nil
}

// apply applies every document of a file, each after change had a look at it.
func (s *story) apply(ctx context.Context, file string, change func(*unstructured.Unstructured) error) error {
	s.say("$ kubectl apply -f %s", file)
	reader, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	defer func() { _ = reader.Close() }()
	decoder := yaml.NewYAMLOrJSONDecoder(reader, 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := change(object); err != nil {
			return err
		}
		if err := s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}

// await calls check until it is done; what names what is waited for.
func (s *story) await(ctx context.Context, what string, check func(context.Context) (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, pollInterval, patience, true, check)
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("waited %s for %s: spillway status -A says where it stands", patience, what)
	}
	return err
}

// remove deletes what an earlier run left, so that there is something to see.
func (s *story) remove(ctx context.Context, object client.Object) error {
	err := s.client.Delete(ctx, object, client.PropagationPolicy("Foreground"))
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting what an earlier run left: %w", err)
	}
	return s.await(ctx, "what an earlier run left to go", func(ctx context.Context) (bool, error) {
		err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

func (s *story) pods(ctx context.Context, app string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := s.client.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{"app": app}); err != nil {
		return nil, fmt.Errorf("listing the pods of %s: %w", app, err)
	}
	return list.Items, nil
}

// records reads where pods went, and leaves out those that have not been placed.
func records(pods []corev1.Pod) ([]placement.Record, error) {
	var found []placement.Record
	for _, pod := range pods {
		encoded, ok := pod.Annotations[v1alpha1.AnnotationPlacement]
		if !ok {
			continue
		}
		record, err := placement.Decode(encoded)
		if err != nil {
			return nil, fmt.Errorf("reading the placement of %s: %w", pod.Name, err)
		}
		found = append(found, record)
	}
	return found, nil
}
