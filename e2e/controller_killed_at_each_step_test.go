package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

// step is a moment between Reserve and the first status at which the controller ends.
type step struct {
	name   string
	of     func(*crashing) *gate
	method string
	path   string // %s is the pod's name
	when   moment
	bound  bool // the pod is bound then
}

func toTarget(c *crashing) *gate { return c.target }
func toSource(c *crashing) *gate { return c.source }

var steps = []step{
	{"after Reserve", toTarget, http.MethodGet, "/configmaps/", beforeArrival, false},
	{"when a reference was shipped", toTarget, http.MethodPost, "/configmaps", beforeAnswer, false},
	{"before the delegate is created", toTarget, http.MethodPost, "/pods", beforeArrival, false},
	{"when the delegate was created, before the answer", toTarget, http.MethodPost, "/pods", beforeAnswer, false},
	{"after that answer", toTarget, http.MethodPost, "/pods", afterAnswer, false},
	{"when the target has scheduled it", toSource, http.MethodPost, "/pods/%s/binding", beforeArrival, false},
	{"when the pod was bound, before the answer", toSource, http.MethodPost, "/pods/%s/binding", beforeAnswer, true},
	{"after that answer", toSource, http.MethodPost, "/pods/%s/binding", afterAnswer, true},
	{"before the first status", toSource, http.MethodPatch, "/pods/%s/status", beforeArrival, true},
}

func TestAControllerKilledAtAnyStepNeitherLosesItsPodNorRunsItTwice(t *testing.T) {
	c := givenCrashing(t)
	for i, at := range steps {
		t.Run(at.name, func(t *testing.T) {
			c := c.in(t)
			c.endAt(at, fmt.Sprintf("pod-%d", i), c.kill)
			c.start()
			c.expectOnce(fmt.Sprintf("pod-%d", i))
		})
	}
}

func TestAControllerKilledAtAnyStepThatFindsItsTargetUnreachableHoldsThePod(t *testing.T) {
	c := givenCrashing(t)
	for i, at := range steps {
		t.Run(at.name, func(t *testing.T) {
			c := c.in(t)
			pod, later := fmt.Sprintf("pod-%d", i), fmt.Sprintf("later-%d", i)
			c.endAt(at, pod, func() {
				c.kill()
				c.target.setShut(true)
			})
			c.start()
			c.createElected(later)
			c.expectRunningOn(later, cloud.name)
			if !at.bound {
				c.expectUnschedulable(pod, "spare may have a delegate of this pod", "target unreachable", "delete the pod")
			}
			assert.NotEqual(t, v1alpha1.VirtualNodeName(cloud.name), c.getPod(pod).Spec.NodeName)

			c.target.setShut(false)

			c.expectOnce(pod)
			c.expectOpen(c.spare)
		})
	}
}

func TestAControllerThatIsToldToStopFinishesWhatItHasBegun(t *testing.T) {
	c := givenCrashing(t)
	for i, at := range []step{
		{"while the delegate is created", toTarget, http.MethodPost, "/pods", whileUnderWay, false},
		{"while the pod is bound", toSource, http.MethodPost, "/pods/%s/binding", whileUnderWay, true},
	} {
		t.Run(at.name, func(t *testing.T) {
			c := c.in(t)
			pod := fmt.Sprintf("pod-%d", i)
			c.endAt(at, pod, c.terminate)
			c.expectEnded()
			if at.bound {
				assert.Equal(t, v1alpha1.VirtualNodeName(spare.name), c.getPod(pod).Spec.NodeName)
			} else {
				c.expectNoDelegates(c.getPod(pod))
			}
			c.start()
			c.expectOnce(pod)
		})
	}
}

func TestADelegateThatCannotBeTakenBackHoldsItsPodAlsoAfterARestart(t *testing.T) {
	c := givenCrashing(t)
	c.createElected("first") // the namespace is there from here on
	c.expectRunningOn("first", spare.name)
	shut := make(chan struct{})
	c.target.stopAt(stop{http.MethodPost, "/" + c.name + "/pods", beforeAnswer, func() {
		c.target.setShut(true)
		close(shut)
	}})
	c.createElected("lost")
	<-shut

	c.expectUnschedulable("lost", "spare may have a delegate of this pod (it could not be taken back yet)")
	mark := corev1.PodConditionType(v1alpha1.ConditionUnconfirmedPrefix + spare.name)
	c.expectPod("lost", "marked", func(pod *corev1.Pod) bool { return podConditionIs(pod, mark, corev1.ConditionTrue) })
	expectEventually(t, late, "nothing else to be on its way", func(ctx context.Context) error {
		if err := c.client.Get(ctx, client.ObjectKeyFromObject(c.spare), c.spare); err != nil {
			return err
		}
		if c.spare.Status.Sending {
			return fmt.Errorf("its status still says so")
		}
		return nil
	})
	c.kill()
	c.start()
	c.expectUnschedulable("lost", "spare may have a delegate of this pod (target unreachable")

	c.target.setShut(false)

	c.expectOnce("lost")
	c.expectRunningOn("lost", spare.name)
	c.expectPod("lost", "without a mark", func(pod *corev1.Pod) bool { return !podConditionIs(pod, mark, corev1.ConditionTrue) })
}

// crashing is a space whose pods prefer a target that, like the source, is reached by the controller through a gate.
type crashing struct {
	*space
	source, target *gate
	spare          *v1alpha1.Target
	controller     fleet.ControllerOptions
}

func givenCrashing(t *testing.T) *crashing {
	t.Helper()
	c := &crashing{space: givenNamespace(t, source, burst), source: givenGate(t, source), target: givenGate(t, spare)}
	c.givenPolicy(remoteOnly(spare.name, cloud.name))
	c.expectNeverTwice()
	killController(t)
	c.controller.Kubeconfig = c.source.kubeconfigFile(t)
	c.start()
	t.Cleanup(func() { // the gate goes with the scenario
		ctx, cancel := context.WithTimeout(context.Background(), controllerTimeout)
		defer cancel()
		require.NoError(t, clusters.StopController(ctx, controllerName, syscall.SIGKILL))
		startController(t)
	})
	c.spare = c.givenSpare(func(spec *v1alpha1.TargetSpec) {
		priced("1m", "10")(spec)
		spec.KubeconfigSecretRef = c.givenKubeconfig(c.target.kubeconfig(t))
	})
	return c
}

// in is the same for a part of the scenario.
func (c *crashing) in(t *testing.T) *crashing {
	part, copied := *c.space, *c
	part.t, copied.space = t, &part
	return &copied
}

func (c *crashing) start() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), controllerTimeout)
	defer cancel()
	require.NoError(c.t, clusters.StartController(ctx, c.controller))
}

func (c *crashing) kill() {
	ctx, cancel := context.WithTimeout(context.Background(), controllerTimeout)
	defer cancel()
	assert.NoError(c.t, clusters.StopController(ctx, controllerName, syscall.SIGKILL))
}

// terminate lets the controller begin to stop before the request goes on.
func (c *crashing) terminate() {
	pid, _ := clusters.Process(source.name, controllerName)
	assert.NoError(c.t, syscall.Kill(pid, syscall.SIGTERM))
	time.Sleep(300 * time.Millisecond)
}

func (c *crashing) expectEnded() {
	c.t.Helper()
	expectEventually(c.t, soon, "the controller to end", func(context.Context) error {
		if pid, runs := clusters.Process(source.name, controllerName); runs {
			return fmt.Errorf("process %d runs", pid)
		}
		return nil
	})
}

// endAt creates a pod and returns when the controller has come to the step.
func (c *crashing) endAt(at step, pod string, end func()) {
	c.t.Helper()
	path := at.path
	if at.of(c) == c.source {
		path = fmt.Sprintf(at.path, pod)
	}
	ended := make(chan struct{})
	at.of(c).stopAt(stop{at.method, "/" + c.name + path, at.when, func() {
		end()
		close(ended)
	}})
	_, err := c.kube.CoreV1().ConfigMaps(c.name).Create(c.t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: pod}, Data: map[string]string{"greeting": "hello"}}, metav1.CreateOptions{})
	require.NoError(c.t, err)
	c.createElected(pod, func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: pod}}}}
	})
	select {
	case <-ended:
	case <-time.After(soon):
		c.t.Fatalf("the controller never came to %s %s", at.method, path)
	}
}

// expectOnce waits until a pod runs and has one delegate in all targets together.
func (c *crashing) expectOnce(name string) {
	c.t.Helper()
	pod := c.expectRunning(name)
	n := 0
	for _, in := range targets() {
		found, err := c.delegates(c.t.Context(), in)
		require.NoError(c.t, err)
		n += len(found[pod.UID])
	}
	assert.Equal(c.t, 1, n, "delegates of %s", describe(pod))
}

// expectNeverTwice watches all targets until the scenario ends: no pod may have two delegates at a time, but for one that is
// being deleted.
func (s *space) expectNeverTwice() {
	s.t.Helper()
	var mu sync.Mutex
	alive := map[types.UID]map[string]bool{}
	for _, in := range targets() {
		events, err := in.kube.CoreV1().Pods(metav1.NamespaceAll).Watch(s.t.Context(), metav1.ListOptions{
			LabelSelector: v1alpha1.LabelSourceCluster + "=" + s.uid + "," + v1alpha1.LabelSourceNamespace + "=" + s.name})
		require.NoError(s.t, err)
		s.t.Cleanup(events.Stop)
		go func() {
			for event := range events.ResultChan() {
				pod, ok := event.Object.(*corev1.Pod)
				if !ok {
					continue
				}
				mu.Lock()
				uid := types.UID(pod.Labels[v1alpha1.LabelSourceUID])
				if alive[uid] == nil {
					alive[uid] = map[string]bool{}
				}
				key := in.name + "/" + string(pod.UID)
				if event.Type == watch.Deleted || pod.DeletionTimestamp != nil {
					delete(alive[uid], key)
				} else {
					alive[uid][key] = true
				}
				assert.LessOrEqual(s.t, len(alive[uid]), 1, "delegates of %s at one time: %v", pod.Labels[v1alpha1.LabelSourceName], alive[uid])
				mu.Unlock()
			}
		}()
	}
}

func podConditionIs(pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus) bool {
	found := podCondition(pod, kind)
	return found != nil && found.Status == status
}
