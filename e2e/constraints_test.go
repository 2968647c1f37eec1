package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Each row of docs/constraints.md that a fleet can show.

func TestAConstraintOnOneLabelSendsAPodWhereItsNodesOrItsTargetHaveIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change change
		want   string
	}{
		"a region in the nodeSelector":       {selecting(corev1.LabelTopologyRegion, "eu-west"), "cloud"},
		"a region that is not another":       {requiring(corev1.LabelTopologyRegion, corev1.NodeSelectorOpNotIn, "eu-west"), "heata"},
		"a target by name":                   {requiring(v1alpha1.LabelTarget, corev1.NodeSelectorOpIn, "cloud"), "cloud"},
		"a label that only nodes there have": {selecting("role.heata.co/capture-heat", "true"), "heata"},
		"a node there by its name":           {requiring(corev1.LabelHostname, corev1.NodeSelectorOpIn, "cloud-1", "cloud-2"), "cloud"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, burst)
			s.givenPolicy(remoteOnly("heata", "cloud"))
			s.createElected("web", test.change)
			s.expectRunningOn("web", test.want)
		})
	}
}

func TestASpreadOverTargetsIsActiveActiveAndMovesWhenATargetClosesIfItHonoursTaints(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	target := s.givenSpare(priced("1m", "10"))

	s.createDeployment("web", 4, requiring(v1alpha1.LabelTarget, corev1.NodeSelectorOpIn, "spare", "cloud"), spreadOver(v1alpha1.LabelTarget, func(c *corev1.TopologySpreadConstraint) {
		c.NodeTaintsPolicy = ptr.To(corev1.NodeInclusionPolicyHonor)
		c.MatchLabelKeys = []string{"pod-template-hash"}
	}))
	s.expectAllRunning(4)
	expectEventually(t, soon, "two in spare", s.runningIn("spare", 2))
	expectEventually(t, soon, "two in cloud", s.runningIn("cloud", 2))

	s.changeTarget(target, closeTo(true))
	expectEventually(t, late, "all in cloud", s.runningIn("cloud", 4))
	s.expectDrained(target, metav1.ConditionTrue, "Drained", "")
}

func TestPodsThatAvoidEachOtherGetATargetOrAHostEach(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		changes []change
		fit     int
		want    string // of the one too many
	}{
		"targets, by anti-affinity": {[]change{avoiding(v1alpha1.LabelTarget)}, 2, "cloud, heata: node(s) didn't match pod anti-affinity rules"},
		"regions, by anti-affinity": {[]change{avoiding(corev1.LabelTopologyRegion)}, 2, "cloud, heata: node(s) didn't match pod anti-affinity rules"},
		"hosts, by anti-affinity":   {[]change{avoiding(corev1.LabelHostname), targeting("cloud")}, 4, "cloud: 4 node(s) didn't match pod anti-affinity rules"},
		"hosts, by a port of theirs": {[]change{hostPort(31987), targeting("cloud")}, 4,
			"4 node(s) didn't have free ports for the requested pod ports"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, burst)
			s.givenPolicy(remoteOnly("heata", "cloud"))
			changes := append([]change{labelled("app", "web")}, test.changes...)
			for i := range test.fit {
				s.createElected(fmt.Sprint("web-", i), changes...)
			}
			s.expectAllRunning(test.fit)
			s.expectApart(test.fit)
			s.createElected("too-many", changes...)
			s.expectUnschedulable("too-many", test.want)
		})
	}
}

func TestASpreadOverHostsIsOfTheTargetsHosts(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("cloud"))
	for i := range 4 {
		s.createElected(fmt.Sprint("web-", i), labelled("app", "web"), spreadOver(corev1.LabelHostname, nil))
	}
	s.expectAllRunning(4)
	s.expectApart(4)
}

func TestAPodFollowsAnotherToItsRegion(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("heata", "cloud"))
	s.createElected("database", labelled("app", "database"), targeting("cloud"))
	s.expectRunningOn("database", "cloud")
	s.createElected("web", func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: corev1.LabelTopologyRegion, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "database"}}}}}}
	})
	s.expectRunningOn("web", "cloud")
}

func TestConstraintsThatNothingCanMeetAreRefusedInClearWords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		changes []change
		want    []string
	}{
		"a topology key that no node has": {[]change{labelled("app", "web"), spreadOver("rack", nil)},
			[]string{"cloud, heata: 4 node(s) didn't match pod topology spread constraints (missing required label)"}},
		"a region and not that region": {
			[]change{selecting(corev1.LabelTopologyRegion, "uk"), requiring(corev1.LabelTopologyRegion, corev1.NodeSelectorOpNotIn, "uk")},
			[]string{"cloud: the pod cannot go there: spec.nodeSelector wants topology.kubernetes.io/region=uk, which is not what the Target's labels say",
				"heata: the pod cannot go there: spec.affinity.nodeAffinity excludes the Target's labels: allow them in one of its terms"}},
		"a node's label and not that label": {
			[]change{selecting("role.heata.co/capture-heat", "true"), requiring("role.heata.co/capture-heat", corev1.NodeSelectorOpDoesNotExist)},
			[]string{"cloud, heata: 4 node(s) didn't match Pod's node affinity/selector"}},
		"a device that no node has": {[]change{func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
			spec.Containers[0].Resources.Limits = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}
		}}, []string{"cloud, heata: 4 Insufficient nvidia.com/gpu"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, burst)
			s.givenPolicy(remoteOnly("heata", "cloud"))
			s.createElected("web", test.changes...)
			s.expectUnschedulable("web", test.want...)
			s.expectNoDelegates()
		})
	}
}

func TestARuntimeClassIsTheTargetsOwn(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("cloud"))
	class := uniqueName("sandbox")
	givenRuntimeClass(t, source, class, "1m")

	s.createElected("web", func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) { spec.RuntimeClassName = &class })
	s.expectUnschedulable("web", "cloud: ", fmt.Sprintf("RuntimeClass %q not found", class))

	givenRuntimeClass(t, cloud, class, "7m")
	expectEventually(t, late, "the pod to run", func(ctx context.Context) error { return s.runningIn("cloud", 1)(ctx) })
	delegate := s.expectDelegate(cloud, s.getPod("web"))
	assert.Equal(t, "7m", delegate.Spec.Overhead.Cpu().String(), "the target's class, not the source's")
}

func givenRuntimeClass(t *testing.T, in *cluster, name, overhead string) {
	t.Helper()
	classes := in.kube.NodeV1().RuntimeClasses()
	_, err := classes.Create(t.Context(), &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Handler: "runc",
		Overhead: &nodev1.Overhead{PodFixed: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(overhead)}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, ignoreNotFound(classes.Delete(context.Background(), name, metav1.DeleteOptions{})))
	})
}

func labelled(key, value string) change {
	return func(meta *metav1.ObjectMeta, _ *corev1.PodSpec) { metav1.SetMetaDataLabel(meta, key, value) }
}

func selecting(key, value string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.NodeSelector = map[string]string{key: value}
	}
}

func requiring(key string, operator corev1.NodeSelectorOperator, values ...string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: operator, Values: values}}}}}}}
	}
}

// spreadOver spreads the pods labelled app=web.
func spreadOver(key string, more func(*corev1.TopologySpreadConstraint)) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		constraint := corev1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}
		if more != nil {
			more(&constraint)
		}
		spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{constraint}
	}
}

// avoiding keeps the pods labelled app=web apart.
func avoiding(key string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: key, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}}}}
	}
}

func hostPort(port int32) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: port}}
	}
}

// expectApart checks that the space's delegates, so many, are on as many nodes.
func (s *space) expectApart(want int) {
	s.t.Helper()
	nodes, n := map[string]bool{}, 0
	for _, in := range targets() {
		found, err := s.delegates(s.t.Context(), in)
		require.NoError(s.t, err)
		for _, list := range found {
			for _, pod := range list {
				nodes[pod.Spec.NodeName], n = true, n+1
			}
		}
	}
	assert.Equal(s.t, want, n, "delegates")
	assert.Len(s.t, nodes, want, "nodes")
}
