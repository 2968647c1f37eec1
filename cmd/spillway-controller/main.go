// Command spillway-controller is the one component that is installed, in the source cluster: scheduler, virtual nodes,
// mirror and kubelet API in one process. This package only wires them together.
package main

import (
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
