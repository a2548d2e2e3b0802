package configs_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"

	"entrasync/configs"
)

// kinds are the objects of the Kubernetes API that the manifests may hold.
var kinds = map[string]func() any{
	"ConfigMap": func() any { return &core.ConfigMap{} }, "Service": func() any { return &core.Service{} },
	"StatefulSet": func() any { return &apps.StatefulSet{} }, "Deployment": func() any { return &apps.Deployment{} },
	"NetworkPolicy": func() any { return &networking.NetworkPolicy{} }, "PodDisruptionBudget": func() any { return &policy.PodDisruptionBudget{} },
}

// The manifests have no field that the Kubernetes API does not know. Their pods run as the image's user, write nowhere but to
// volumes, and hold a configuration that loads.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]string{"one.yaml": "StatefulSet", "fleet.yaml": "Deployment"} {
		objects := manifests(t, filepath.Join("kubernetes", name))
		var pod core.PodSpec
		var claims []core.PersistentVolumeClaim
		switch workload := objects[kind].(type) {
		case *apps.StatefulSet:
			pod, claims = workload.Spec.Template.Spec, workload.Spec.VolumeClaimTemplates
			if *workload.Spec.Replicas != 1 {
				t.Errorf("%s: %d replicas share one state folder", name, *workload.Spec.Replicas)
			}
		case *apps.Deployment:
			pod = workload.Spec.Template.Spec
		default:
			t.Fatalf("%s has no %s", name, kind)
		}
		if len(pod.Containers) != 1 {
			t.Fatalf("%s: %d containers", name, len(pod.Containers))
		}
		c := pod.Containers[0]
		if user := pod.SecurityContext.RunAsUser; user == nil || *user != 65532 || !*pod.SecurityContext.RunAsNonRoot {
			t.Errorf("%s: not the image's user", name)
		}
		if s := c.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%s: not hardened: %+v", name, s)
		}
		volumes := map[string]bool{}
		for _, claim := range claims {
			volumes[claim.Name] = true
		}
		for _, volume := range pod.Volumes {
			volumes[volume.Name] = true
		}
		mounted := map[string]bool{}
		for _, mount := range c.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s mounts %s, which is no volume", name, mount.Name)
			}
			if !mount.ReadOnly {
				mounted[mount.MountPath] = true
			}
		}
		_, err := configs.Parse("/etc/entrasync/entrasync.yaml", []byte(objects["ConfigMap"].(*core.ConfigMap).Data["entrasync.yaml"]), func(string) (string, bool) { return "", false })
		if err != nil {
			var faults configs.Faults
			if !errors.As(err, &faults) || !onlySecrets(faults) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !mounted["/var/lib/entrasync"] && !mounted["/scratch"] {
			t.Errorf("%s: nothing to write to: %v", name, mounted)
		}
	}
}

// onlySecrets reports whether all that is wrong is that the files of a secret are not there.
func onlySecrets(faults configs.Faults) bool {
	for _, fault := range faults {
		if !strings.Contains(fault.String(), "/run/secrets/entrasync/") {
			return false
		}
	}
	return true
}

// manifests reads the objects of a file, strictly, by their kind.
func manifests(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]any{}
	for reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var head struct{ Kind string }
		if err := strict.Unmarshal(document, &head); err != nil || kinds[head.Kind] == nil {
			t.Fatalf("%s: kind %q: %v", path, head.Kind, err)
		}
		object := kinds[head.Kind]()
		if err := strict.UnmarshalStrict(document, object); err != nil {
			t.Errorf("%s, %s: %v", path, head.Kind, err)
		}
		objects[head.Kind] = object
	}
}
