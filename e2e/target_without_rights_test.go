package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/spillway-dev/spillway/deploy"
	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

func TestATargetWithoutRightsSaysWhichVerbsOnWhichResourcesAreMissing(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	spareInUse.Lock()
	t.Cleanup(spareInUse.Unlock)
	account := spare.givenAccount(t)
	poor := s.givenTarget(uniqueName("poor"), v1alpha1.TargetSpec{
		KubeconfigSecretRef: s.givenKubeconfig(spare.kubeconfigOf(t, account)),
		Namespaces:          v1alpha1.NamespaceMapping{Create: true, Selector: s.selector()},
	})

	s.expectTarget(poor, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, target.ReasonMissingRights)
	message := meta.FindStatusCondition(poor.Status.Conditions, v1alpha1.ConditionAuthorized).Message
	assert.NoError(t, containsAll(message, "create pods", "delete pods", "list pods", "watch pods", "get pods/log",
		"list nodes", "watch nodes", "apply deploy/target-rbac"))
	s.expectTarget(poor, v1alpha1.ConditionReachable, metav1.ConditionTrue, "")
	s.createElected("elsewhere", captureHeat)
	s.expectRunningOn("elsewhere", heata.name)

	spare.grant(t, account)

	s.expectOpen(poor)
	s.createElected("here", targeting(poor.Name))
	here := s.expectRunningOn("here", poor.Name)
	assert.Contains(t, s.logs("here", &corev1.PodLogOptions{}), "hello from cluster spare")
	s.deletePod("here", nil)
	s.expectGone(here)
	s.expectNoDelegates(here)
}

// givenAccount makes a service account without any right.
func (c *cluster) givenAccount(t *testing.T) *corev1.ServiceAccount {
	t.Helper()
	account, err := c.kube.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: uniqueName("account")}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		err := c.kube.CoreV1().ServiceAccounts(account.Namespace).Delete(context.Background(), account.Name, metav1.DeleteOptions{})
		require.NoError(t, ignoreNotFound(err))
	})
	return account
}

func (c *cluster) token(t *testing.T, account *corev1.ServiceAccount) string {
	t.Helper()
	request, err := c.kube.CoreV1().ServiceAccounts(account.Namespace).CreateToken(t.Context(), account.Name,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	return request.Status.Token
}

// kubeconfigOf returns a kubeconfig that has only an account's token.
func (c *cluster) kubeconfigOf(t *testing.T, account *corev1.ServiceAccount) []byte {
	t.Helper()
	config, err := clientcmd.Load(c.kubeconfig(t))
	require.NoError(t, err)
	current := config.Contexts[config.CurrentContext]
	config.AuthInfos[current.AuthInfo] = &clientcmdapi.AuthInfo{Token: c.token(t, account)}
	data, err := clientcmd.Write(*config)
	require.NoError(t, err)
	return data
}

// grant gives an account exactly what deploy/target-rbac gives: it has to be enough.
func (c *cluster) grant(t *testing.T, account *corev1.ServiceAccount) {
	t.Helper()
	objects, err := deploy.TargetRBAC()
	require.NoError(t, err)
	for _, object := range objects {
		switch object.GetKind() {
		case "ClusterRole":
			require.NoError(t, ignoreExists(c.client.Create(t.Context(), object)))
		case "ClusterRoleBinding":
			role := object.GetName() // each has the name of its role
			_, err := c.kube.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: uniqueName(role)},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
			}, metav1.CreateOptions{})
			require.NoError(t, err)
		}
	}
}
