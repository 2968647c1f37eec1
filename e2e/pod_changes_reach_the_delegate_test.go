package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/deploy"
	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestWhatChangesInAPodReachesItsDelegate(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("web", annotated("team", "vfx"))
	pod := s.expectRunningOn("web", cloud.name)
	sent := s.expectDelegate(cloud, pod)
	cloud.patchPod(t, sent.Namespace, sent.Name, "", `{"metadata":{"labels":{"theirs":"1"},"annotations":{"theirs":"1"}}}`)

	s.patchPod(t, s.name, "web", "", `{
		"metadata": {"labels": {"app": "web"}, "annotations": {"team": null, "owner": "me"}},
		"spec": {"containers": [{"name": "main", "image": "busybox:1.38"}], "activeDeadlineSeconds": 3600}}`)
	s.tolerate(t, "web", corev1.Toleration{Key: "spot", Operator: corev1.TolerationOpExists})

	changed := s.expectDelegateTo(cloud, pod, "have changed", func(d *corev1.Pod) error {
		if d.Labels["app"] != "web" || d.Annotations["owner"] != "me" || d.Annotations["team"] != "" ||
			d.Spec.Containers[0].Image != "busybox:1.38" || ptr.Deref(d.Spec.ActiveDeadlineSeconds, 0) != 3600 || !tolerates(d, "spot") {
			return fmt.Errorf("labels %v, annotations %v, image %s, deadline %v, tolerations %v", d.Labels, d.Annotations,
				d.Spec.Containers[0].Image, d.Spec.ActiveDeadlineSeconds, d.Spec.Tolerations)
		}
		return nil
	})
	assert.Equal(t, sent.UID, changed.UID)
	assert.Equal(t, "1", changed.Labels["theirs"], "what the target has added stays")
	assert.Equal(t, "1", changed.Annotations["theirs"])
	s.patchPod(t, s.name, "web", "", `{"metadata":{"labels":{"app":null}}}`)
	s.expectDelegateTo(cloud, pod, "have lost its label", func(d *corev1.Pod) error {
		if _, ok := d.Labels["app"]; ok {
			return fmt.Errorf("labels %v", d.Labels)
		}
		return nil
	})
}

func TestAChangeMadeWhileTheControllerIsDownIsSentWhenItIsBack(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("web", labelled("app", "web"))
	pod := s.expectRunningOn("web", cloud.name)
	s.expectDelegate(cloud, pod)

	killController(t)
	s.patchPod(t, s.name, "web", "", `{"metadata":{"labels":{"app":null,"tier":"front"}}}`)
	startController(t)

	s.expectDelegateTo(cloud, pod, "have the label that it should have", func(d *corev1.Pod) error {
		if _, ok := d.Labels["app"]; ok || d.Labels["tier"] != "front" {
			return fmt.Errorf("labels %v", d.Labels)
		}
		return nil
	})
}

func TestAReadinessGateThatIsOpenedInTheSourceMakesThePodReady(t *testing.T) {
	t.Parallel()
	const gate = "lb.example.com/registered"
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("web", func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}}
	})
	s.expectPod("web", "running and not ready", func(pod *corev1.Pod) bool {
		ready := podCondition(pod, corev1.PodReady)
		return pod.Status.Phase == corev1.PodRunning && ready != nil && ready.Status == corev1.ConditionFalse &&
			ready.Reason == "ReadinessGatesNotReady"
	})

	s.patchPod(t, s.name, "web", "status", `{"status":{"conditions":[{"type":"`+gate+`","status":"True","reason":"Registered"}]}}`)

	pod := s.expectRunningOn("web", cloud.name)
	assert.Equal(t, "Registered", podCondition(pod, gate).Reason, "it is its writer's")
	s.patchPod(t, s.name, "web", "status", `{"status":{"conditions":[{"type":"`+gate+`","status":"False"}]}}`)
	s.expectPod("web", "not ready", func(pod *corev1.Pod) bool {
		return podCondition(pod, corev1.PodReady).Status == corev1.ConditionFalse
	})
}

func TestAnEvictedPodTakesItsDelegateAlong(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("web")
	pod := s.expectRunningOn("web", cloud.name)

	require.NoError(t, s.kube.CoreV1().Pods(s.name).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "web"}}))

	s.expectGone(pod)
	s.expectNoDelegates(pod)
}

func TestASuspendedJobsDelegatesGoAndComeBackWithIt(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	job := s.createJob("render", 2, runningFor(time.Hour))
	s.expectAllRunning(2)

	s.suspend(t, job.Name, true)
	s.expectNoDelegates()
	s.suspend(t, job.Name, false)

	s.expectAllRunning(2)
}

func TestATargetThatRefusesAChangeSaysSoOnThePod(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	account := cloud.givenAccount(t)
	cloud.grantWithout(t, account, "patch")
	strict := s.givenTarget(uniqueName("strict"), v1alpha1.TargetSpec{
		KubeconfigSecretRef: s.givenKubeconfig(cloud.kubeconfigOf(t, account)),
		Namespaces:          v1alpha1.NamespaceMapping{Create: true, Selector: s.selector()},
	})
	s.expectOpen(strict)
	note := meta.FindStatusCondition(strict.Status.Conditions, v1alpha1.ConditionAuthorized).Message
	assert.NoError(t, containsAll(note, "patch pods", "patch pods/resize", "patch pods/ephemeralcontainers", "apply deploy/target-rbac"))
	s.createElected("web", targeting(strict.Name))
	pod := s.expectRunningOn("web", strict.Name)

	s.patchPod(t, s.name, "web", "", `{"metadata":{"labels":{"app":"web"}}}`)

	said := s.expectEvent(pod, "ChangeRefused")
	assert.NoError(t, containsAll(said.Message, strict.Name, `cannot patch resource "pods"`, "apply deploy/target-rbac"))
	s.expectRunning("web")
	cloud.grant(t, account)
	s.expectDelegateTo(cloud, pod, "have the label once that is allowed", func(d *corev1.Pod) error {
		if d.Labels["app"] != "web" {
			return fmt.Errorf("labels %v", d.Labels)
		}
		return nil
	})
}

// patchPod changes a pod, or one of its subresources.
func (c *cluster) patchPod(t *testing.T, namespace, name, subresource, patch string) {
	t.Helper()
	var subresources []string
	if subresource != "" {
		subresources = append(subresources, subresource)
	}
	_, err := c.kube.CoreV1().Pods(namespace).Patch(t.Context(), name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
	require.NoError(t, err)
}

// tolerate adds a toleration, as an update may.
func (s *space) tolerate(t *testing.T, name string, toleration corev1.Toleration) {
	t.Helper()
	pod := s.getPod(name)
	pod.Spec.Tolerations = append(pod.Spec.Tolerations, toleration)
	_, err := s.kube.CoreV1().Pods(s.name).Update(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func tolerates(pod *corev1.Pod, key string) bool {
	for _, t := range pod.Spec.Tolerations {
		if t.Key == key {
			return true
		}
	}
	return false
}

func (s *space) suspend(t *testing.T, job string, suspended bool) {
	t.Helper()
	_, err := s.kube.BatchV1().Jobs(s.name).Patch(t.Context(), job, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, suspended), metav1.PatchOptions{})
	require.NoError(t, err)
}

// expectDelegateTo waits until the delegate of a pod is as check wants it, and returns it.
func (s *space) expectDelegateTo(in *cluster, source *corev1.Pod, what string, check func(d *corev1.Pod) error) *corev1.Pod {
	s.t.Helper()
	var found *corev1.Pod
	expectEventually(s.t, soon, "the delegate of "+source.Name+" to "+what, func(ctx context.Context) error {
		all, err := s.delegates(ctx, in)
		if err != nil {
			return err
		}
		if n := len(all[source.UID]); n != 1 {
			return fmt.Errorf("there are %d", n)
		}
		found = &all[source.UID][0]
		return check(found)
	})
	return found
}

// grantWithout gives an account what deploy/target-rbac gives, but for a verb.
func (c *cluster) grantWithout(t *testing.T, account *corev1.ServiceAccount, verb string) {
	t.Helper()
	objects, err := deploy.TargetRBAC()
	require.NoError(t, err)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: uniqueName("without-" + verb)}}
	for _, object := range objects {
		given := &rbacv1.ClusterRole{}
		if object.GetKind() != "ClusterRole" {
			continue
		}
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, given))
		for _, rule := range given.Rules {
			rule.Verbs = slices.DeleteFunc(rule.Verbs, func(v string) bool { return v == verb })
			if len(rule.Verbs) > 0 {
				role.Rules = append(role.Rules, rule)
			}
		}
	}
	require.NoError(t, c.client.Create(t.Context(), role))
	require.NoError(t, c.client.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
	}))
}

// expectEvent waits for an event of this reason about a pod.
func (s *space) expectEvent(pod *corev1.Pod, reason string) *corev1.Event {
	s.t.Helper()
	var found *corev1.Event
	expectEventually(s.t, soon, "an event "+reason+" of pod "+pod.Name, func(ctx context.Context) error {
		list, err := s.kube.CoreV1().Events(s.name).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(pod.UID)})
		if err != nil {
			return err
		}
		var reasons []string
		for i := range list.Items {
			if list.Items[i].Reason == reason {
				found = &list.Items[i]
				return nil
			}
			reasons = append(reasons, list.Items[i].Reason)
		}
		return fmt.Errorf("there are %v", reasons)
	})
	return found
}
