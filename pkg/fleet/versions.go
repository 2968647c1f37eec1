package fleet

// Versions of what a fleet runs. The modules under binaries/ hold the same ones: versions_test.go compares them.
const (
	KubernetesVersion = "v1.37.1"
	EtcdVersion       = "v3.7.0"
	KwokVersion       = "v0.8.0"
)

// binariesVersion names the folder of the compiled binaries: another version of any of them is another folder.
const binariesVersion = "kubernetes-" + KubernetesVersion + "_etcd-" + EtcdVersion + "_kwok-" + KwokVersion
