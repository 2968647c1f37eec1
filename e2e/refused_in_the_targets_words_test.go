package e2e

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestATargetsRefusalIsSaidInItsOwnWordsAndThePodGoesElsewhere(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func(s *space)
		says  []string
	}{
		"a quota that is used up": {
			func(s *space) { s.givenQuota(spare, corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}) },
			[]string{"exceeded quota: small", "requested: pods=1", "limited: pods=0"},
		},
		"PodSecurity": {
			func(s *space) { s.labelNamespace(spare, "pod-security.kubernetes.io/enforce", "restricted") },
			[]string{`violates PodSecurity "restricted:latest"`, "allowPrivilegeEscalation"},
		},
		"an admission policy": {
			func(s *space) { s.givenAdmissionPolicy(spare, "pods from elsewhere are not welcome here") },
			[]string{"ValidatingAdmissionPolicy", "pods from elsewhere are not welcome here"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { // one after the other: there is one spare cluster
			s := givenNamespace(t, source, burst)
			s.givenPolicy(remoteOnly("spare"))
			s.givenSpare(nil)
			spare.givenNamespace(t, s.name)
			test.given(s)

			s.createElected("refused")

			pod := s.expectUnschedulable("refused", append(test.says, "spare: refused it ")...)
			expectEventually(t, soon, "an event in the target's words", func(ctx context.Context) error {
				return s.eventSays(ctx, pod, test.says...)
			})
			s.expectNoDelegates()
		})
	}
}

func TestOfManyPodsThatAreAlikeTheTargetRefusesOne(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	s.givenSpare(nil)
	spare.givenNamespace(t, s.name)
	s.givenAdmissionPolicy(spare, "not one of a hundred")
	before := spare.refusedCreates(t)

	s.createDeployment("many", 100)

	expectEventually(t, late, "a hundred pods that say why they wait", func(ctx context.Context) error {
		pods, err := s.list(ctx)
		if err != nil {
			return err
		}
		said := 0
		for i := range pods {
			if c := podCondition(&pods[i], corev1.PodScheduled); c != nil && strings.Contains(c.Message, "not one of a hundred") {
				said++
			}
		}
		if said != 100 {
			return fmt.Errorf("%d of %d say so", said, len(pods))
		}
		return nil
	})
	// Others use the spare cluster as well, but nobody else is refused; it is asked again after 15 s, and 30 s later.
	assert.LessOrEqual(t, spare.refusedCreates(t)-before, 3)
}

// givenQuota makes a ResourceQuota in the target's namespace of the space, which counts at once.
func (s *space) givenQuota(in *cluster, hard corev1.ResourceList) *corev1.ResourceQuota {
	s.t.Helper()
	quota, err := in.kube.CoreV1().ResourceQuotas(s.name).Create(s.t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	expectEventually(s.t, soon, "the quota to be counted", func(ctx context.Context) error {
		quota, err = in.kube.CoreV1().ResourceQuotas(s.name).Get(ctx, "small", metav1.GetOptions{})
		if err == nil && len(quota.Status.Hard) == 0 {
			err = fmt.Errorf("status %v", quota.Status)
		}
		return err
	})
	return quota
}

func (s *space) labelNamespace(in *cluster, key, value string) {
	s.t.Helper()
	namespace, err := in.kube.CoreV1().Namespaces().Get(s.t.Context(), s.name, metav1.GetOptions{})
	require.NoError(s.t, err)
	metav1.SetMetaDataLabel(&namespace.ObjectMeta, key, value)
	_, err = in.kube.CoreV1().Namespaces().Update(s.t.Context(), namespace, metav1.UpdateOptions{})
	require.NoError(s.t, err)
}

// givenAdmissionPolicy refuses every pod in the target's namespace of the space, and waits until it does.
func (s *space) givenAdmissionPolicy(in *cluster, message string) {
	s.t.Helper()
	policies := in.kube.AdmissionregistrationV1()
	_, err := policies.ValidatingAdmissionPolicies().Create(s.t.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: s.name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: ptr.To(admissionv1.Fail),
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule: admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}}}}}},
			Validations: []admissionv1.Validation{{Expression: "false", Message: message}},
		}}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	_, err = policies.ValidatingAdmissionPolicyBindings().Create(s.t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: s.name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: s.selector()}}}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		_ = policies.ValidatingAdmissionPolicyBindings().Delete(context.Background(), s.name, metav1.DeleteOptions{})
		_ = policies.ValidatingAdmissionPolicies().Delete(context.Background(), s.name, metav1.DeleteOptions{})
	})
	probe := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "probe"}, Spec: podTemplate().Spec}
	expectEventually(s.t, soon, "the admission policy to be heeded", func(ctx context.Context) error {
		_, err := in.kube.CoreV1().Pods(s.name).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil || !strings.Contains(err.Error(), message) {
			return fmt.Errorf("a pod would be taken: %w", err)
		}
		return nil
	})
}

// eventSays looks for an event of a pod with all of the texts.
func (s *space) eventSays(ctx context.Context, pod *corev1.Pod, texts ...string) error {
	list, err := s.kube.EventsV1().Events(s.name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var notes []string
	for _, event := range list.Items {
		if event.Regarding.UID == pod.UID {
			notes = append(notes, event.Note)
			if containsAll(event.Note, texts...) == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("its events say %q", notes)
}

// refusedCreates is how often a cluster's API server has answered the creation of a pod with 403.
func (c *cluster) refusedCreates(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := c.kube.CoreV1().RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	require.NoError(t, err)
	defer func() { _ = stream.Close() }()
	text, err := io.ReadAll(stream)
	require.NoError(t, err)
	sum := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "apiserver_request_total{") && containsAll(line, `code="403"`, `resource="pods"`, `verb="POST"`, `dry_run=""`, `subresource=""`) == nil {
			var n int
			_, err := fmt.Sscan(line[strings.LastIndex(line, "}")+1:], &n)
			require.NoError(t, err)
			sum += n
		}
	}
	return sum
}
