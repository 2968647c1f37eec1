package usage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/utils/clock"
)

// Place is what is behind a virtual node.
type Place struct {
	// Target is the Target's name.
	Target string
	// Client of the target's API server.
	Client rest.Interface
	// Selector of the labels that all delegates of this source there have.
	Selector string
	// Pods that run there.
	Pods []Pod
}

// Pod is a source pod with its delegate. Both are only read.
type Pod struct{ Source, Delegate *corev1.Pod }

// Options of a Reader; all are needed.
type Options struct {
	// NodeName is the virtual node's.
	NodeName string
	// Place is what is behind it now; false when its target is not connected.
	Place func() (Place, bool)
	Clock clock.PassiveClock
}

const (
	// readTimeout is shorter than a metrics-server's patience, 10 s: what failed is said, and the rest is told.
	readTimeout = 8 * time.Second
	// refusalHolds is how long a target that did not let us ask its kubelets is not tried again.
	refusalHolds = 10 * time.Minute
)

// Reader reads the figures of one virtual node when it is asked for them. It remembers what makes counters of them, and
// where they came from.
type Reader struct {
	Options
	since metav1.Time

	mu      sync.Mutex
	refused time.Time // when the target's kubelets could last not be asked
	state   string    // where figures came from, as last logged
	tally   tally
	counter counter
}

// New returns a reader that has asked nothing yet.
func New(o Options) *Reader {
	return &Reader{Options: o, since: metav1.NewTime(o.Clock.Now())}
}

// figures are what a target tells of some of its pods, and where from.
type figures struct {
	source string
	pods   []stats.PodStats
}

// Summary is a kubelet's summary of the virtual node. Where figures are missing it is returned with the error that says
// why, and with those that there are.
func (r *Reader) Summary(ctx context.Context, onlyCPUAndMemory bool) (*stats.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	place, ok := r.Place()
	var found figures
	var err error
	switch {
	case !ok:
		err = fmt.Errorf(textNotConnected, r.NodeName)
	case len(place.Pods) > 0:
		found, err = r.read(ctx, place, onlyCPUAndMemory)
		r.logChange(ctx, place.Target, found.source, err)
	}
	return &stats.Summary{Pods: found.pods, Node: r.addUp(place.Pods, found.pods)}, err
}

// read asks the target's kubelets, whose figures are those that a kubelet of the source would have. Where they cannot be
// asked, its metrics API tells what its metrics-server made of them.
func (r *Reader) read(ctx context.Context, place Place, onlyCPUAndMemory bool) (figures, error) {
	err := errRefused
	if !r.refusedLately() {
		var pods []stats.PodStats
		pods, err = askNodes(ctx, place, onlyCPUAndMemory)
		if err == nil || len(pods) > 0 {
			return figures{sourceNodes, pods}, err
		}
		r.noteRefusal(err)
	}
	samples, sampleErr := askMetrics(ctx, place)
	if sampleErr != nil {
		return figures{}, fmt.Errorf(textNoFigures, place.Target, err, sampleErr)
	}
	return figures{sourceMetrics, r.count(place.Pods, samples)}, nil
}

func (r *Reader) addUp(pods []Pod, found []stats.PodStats) stats.NodeStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	node := r.tally.add(pods, found)
	node.NodeName, node.StartTime = r.NodeName, r.since
	return node
}

func (r *Reader) count(pods []Pod, samples []sample) []stats.PodStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counter.add(pods, samples)
}

func (r *Reader) refusedLately() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Clock.Since(r.refused) < refusalHolds
}

func (r *Reader) noteRefusal(err error) {
	if !errors.Is(err, errRefused) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = r.Clock.Now()
}

// logChange says once where figures come from, and once that there are none: they are asked for all the time.
func (r *Reader) logChange(ctx context.Context, target, source string, err error) {
	state := source
	if err != nil {
		state += stateIncomplete
	}
	r.mu.Lock()
	changed := state != r.state
	r.state = state
	r.mu.Unlock()
	log := logr.FromContextOrDiscard(ctx).WithValues("target", target)
	switch {
	case !changed:
	case source == "":
		log.Info("Found no figures of what pods use", "reason", err.Error())
	case err != nil:
		log.Info("Read only a part of what pods use", "from", source, "reason", err.Error())
	default:
		log.Info("Read what pods use", "from", source)
	}
}
