package profile

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/util"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

// explainByPlace makes a refused pod's condition and event read place by place, and tries the next place without the
// backoff, which is meant for errors and not for a target that said no.
func (s *Scheduler) explainByPlace(client kubernetes.Interface, registry *target.Registry, plugin *schedulerplugin.Plugin) {
	fail := s.FailureHandler
	s.FailureHandler = func(ctx context.Context, f framework.Framework, pod *framework.QueuedPodInfo, status *fwk.Status,
		nominating *fwk.NominatingInfo, start time.Time) {
		if fit, ok := status.AsError().(*framework.FitError); ok && f.ProfileName() == v1alpha1.SchedulerName {
			f = &inOurWords{Framework: f, ctx: ctx, client: client, text: explain(fit, len(registry.List())), quiet: plugin.BurstsNext(pod.Pod)}
		}
		again := status.Plugin() == schedulerplugin.Name && status.IsRejected() || plugin.BurstsNext(pod.Pod)
		fail(ctx, f, pod, status, nominating, start)
		if again {
			s.SchedulingQueue.Activate(klog.FromContext(ctx), map[string]*corev1.Pod{pod.Pod.Namespace + "/" + pod.Pod.Name: pod.Pod})
		}
	}
}

// inOurWords is the framework as the failure handler uses it, with another text in what is written. The handler needs a
// FitError itself, to know what to wait for, and a FitError always counts nodes.
type inOurWords struct {
	framework.Framework
	ctx    context.Context // of one failure
	client kubernetes.Interface
	text   string
	quiet  bool // no word of it: the pod is tried again at once, and only that tells
}

// EventRecorder says our text in every event.
func (w *inOurWords) EventRecorder() events.EventRecorderLogger {
	return &recorder{EventRecorderLogger: w.Framework.EventRecorder(), text: w.text, quiet: w.quiet}
}

// APICacher writes our text into the condition. Where the scheduler has none, it writes at once, as the handler would.
func (w *inOurWords) APICacher() fwk.APICacher {
	return &conditionWriter{APICacher: w.Framework.APICacher(), inOurWords: w}
}

type recorder struct {
	events.EventRecorderLogger
	text  string
	quiet bool
}

// WithLogger keeps the text.
func (r *recorder) WithLogger(logger klog.Logger) events.EventRecorderLogger {
	return &recorder{EventRecorderLogger: r.EventRecorderLogger.WithLogger(logger), text: r.text, quiet: r.quiet}
}

// Eventf drops the handler's note.
func (r *recorder) Eventf(regarding, related runtime.Object, kind, reason, action, _ string, _ ...any) {
	if r.quiet {
		return
	}
	r.EventRecorderLogger.Eventf(regarding, related, kind, reason, action, "%s", r.text)
}

type conditionWriter struct {
	fwk.APICacher // nil unless the scheduler's calls are asynchronous
	*inOurWords
}

// PatchPodStatus writes the conditions that differ from the pod's, and the node that preemption makes room on.
func (w *conditionWriter) PatchPodStatus(pod *corev1.Pod, conditions []*corev1.PodCondition, nominating *fwk.NominatingInfo) (<-chan error, error) {
	if w.quiet {
		conditions = nil
	}
	status, changed := pod.Status.DeepCopy(), false
	for _, c := range conditions {
		c.Message = w.text
		changed = podutil.UpdatePodCondition(status, c) || changed
	}
	if w.APICacher != nil {
		return w.APICacher.PatchPodStatus(pod, conditions, nominating)
	}
	if nominating.Mode() == fwk.ModeOverride && status.NominatedNodeName != nominating.NominatedNodeName {
		status.NominatedNodeName, changed = nominating.NominatedNodeName, true
	}
	if !changed {
		return nil, nil
	}
	return nil, util.PatchPodStatus(w.ctx, w.client, pod.Name, pod.Namespace, &pod.Status, status)
}

var (
	_ framework.Framework        = (*inOurWords)(nil)
	_ events.EventRecorderLogger = (*recorder)(nil)
	_ fwk.APICacher              = (*conditionWriter)(nil)
)
