// Package reported lets one build answer /version with any Kubernetes version.
//
// A component's version is normally fixed at link time, and linking anew for each version takes half a minute and 160 MB.
// What the API server serves and accepts stays that of the version linked in; only the answer to /version is another.
package reported

import (
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/util/version"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	utilcompatibility "k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/compatibility"
)

// Variable names the environment variable that holds the version to report, e.g. v1.24.17-eks-5d4a308.
const Variable = "TESTBED_KUBERNETES_VERSION"

type reporting struct {
	compatibility.MutableEffectiveVersion
	text  string
	parts *version.Version
}

// Info is what /version answers.
func (r reporting) Info() *apimachineryversion.Info {
	info := *r.MutableEffectiveVersion.Info()
	info.GitVersion = r.text
	info.Major, info.Minor = fmt.Sprint(r.parts.Major()), fmt.Sprint(r.parts.Minor())
	info.EmulationMajor, info.EmulationMinor = info.Major, info.Minor
	info.MinCompatibilityMajor, info.MinCompatibilityMinor = info.Major, info.Minor
	return &info
}

// FromEnvironment makes this process report the version in Variable, if there is one. Call it before making a command.
func FromEnvironment() error {
	text := os.Getenv(Variable)
	if text == "" {
		return nil
	}
	parts, err := version.ParseSemantic(text)
	if err != nil {
		return fmt.Errorf("%s: %w", Variable, err)
	}
	effective := reporting{utilcompatibility.DefaultBuildEffectiveVersion(), text, parts}
	registry := utilcompatibility.DefaultComponentGlobalsRegistry
	registry.Reset()
	return registry.Register(compatibility.DefaultKubeComponent, effective, utilfeature.DefaultMutableFeatureGate)
}
