// Package kubernetes_test holds deploy/kubernetes to the types of Kubernetes and to the
// settings of digate. It is a module of its own, so that the types are no dependency of
// digate's.
package kubernetes_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// lastWords is how long a pod needs after its drain: for verdicts to callers that were cut,
// and for the ledger to close.
const lastWords = 5 * time.Second

const (
	root = "../.."
	dir  = root + "/deploy/kubernetes"
)

// base is what the files of deploy/kubernetes have.
type base struct {
	account    corev1.ServiceAccount
	deployment appsv1.Deployment
	services   map[string]corev1.Service
	scaler     autoscalingv2.HorizontalPodAutoscaler
	budget     policyv1.PodDisruptionBudget
	policy     networkingv1.NetworkPolicy
	monitor    monitoringv1.ServiceMonitor
}

// read decodes every file that the kustomization names. A field that Kubernetes does not
// know, or that is there twice, is an error.
func read(t *testing.T) base {
	t.Helper()
	var kustomization struct {
		APIVersion, Kind string
		Resources        []string
	}
	decode(t, "kustomization.yaml", file(t, "kustomization.yaml"), &kustomization)
	b := base{services: make(map[string]corev1.Service)}
	for _, name := range kustomization.Resources {
		for _, document := range bytes.Split(file(t, name), []byte("\n---\n")) {
			var is metav1.TypeMeta
			if err := yaml.Unmarshal(document, &is); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch is.APIVersion + " " + is.Kind {
			case "v1 ServiceAccount":
				decode(t, name, document, &b.account)
			case "apps/v1 Deployment":
				decode(t, name, document, &b.deployment)
			case "v1 Service":
				var s corev1.Service
				decode(t, name, document, &s)
				b.services[s.Name] = s
			case "autoscaling/v2 HorizontalPodAutoscaler":
				decode(t, name, document, &b.scaler)
			case "policy/v1 PodDisruptionBudget":
				decode(t, name, document, &b.budget)
			case "networking.k8s.io/v1 NetworkPolicy":
				decode(t, name, document, &b.policy)
			case "monitoring.coreos.com/v1 ServiceMonitor":
				decode(t, name, document, &b.monitor)
			default:
				t.Errorf("%s: what is %s %s?", name, is.APIVersion, is.Kind)
			}
		}
	}
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(files) != len(kustomization.Resources)+1 {
		t.Errorf("the kustomization names %d files of %d, %v", len(kustomization.Resources), len(files)-1, err)
	}
	return b
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(t *testing.T, name string, document []byte, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(document, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func (b base) pod() corev1.PodSpec { return b.deployment.Spec.Template.Spec }

func (b base) container(t *testing.T) corev1.Container {
	t.Helper()
	if len(b.pod().Containers) != 1 {
		t.Fatalf("%d containers", len(b.pod().Containers))
	}
	return b.pod().Containers[0]
}

// A selector that selects nothing, or a name that leads nowhere, is no error for
// Kubernetes: the part is just without effect.
func TestManifests_PartsFindEachOther(t *testing.T) {
	b := read(t)
	pods := labels.Set(b.deployment.Spec.Template.Labels)
	selectors := map[string]*metav1.LabelSelector{
		"Deployment":          b.deployment.Spec.Selector,
		"PodDisruptionBudget": b.budget.Spec.Selector,
		"NetworkPolicy":       &b.policy.Spec.PodSelector,
		"spread":              b.pod().TopologySpreadConstraints[0].LabelSelector,
	}
	for name, s := range b.services {
		selectors[name] = &metav1.LabelSelector{MatchLabels: s.Spec.Selector}
	}
	for name, s := range selectors {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil || selector.Empty() || !selector.Matches(pods) {
			t.Errorf("%s selects no pod of the Deployment: %v, %v", name, selector, err)
		}
	}
	if b.account.Name != b.pod().ServiceAccountName {
		t.Errorf("there is no account %s", b.pod().ServiceAccountName)
	}
	if ref := b.scaler.Spec.ScaleTargetRef; ref.Kind != "Deployment" || ref.Name != b.deployment.Name || b.deployment.Spec.Replicas != nil {
		t.Errorf("the replicas are not those of the autoscaler: %v", ref)
	}

	ports := make(map[string]int32)
	for _, p := range b.container(t).Ports {
		ports[p.Name] = p.ContainerPort
	}
	for name, s := range b.services {
		for _, p := range s.Spec.Ports {
			if p.TargetPort.Type != intstr.String || ports[p.TargetPort.StrVal] != p.Port {
				t.Errorf("%s: port %s is no port of the container", name, p.Name)
			}
		}
	}
	for _, rule := range b.policy.Spec.Ingress {
		for _, p := range rule.Ports {
			if ports[p.Port.StrVal] == 0 {
				t.Errorf("NetworkPolicy: %v is no port of the container", p.Port)
			}
		}
	}
	scraped := 0
	monitor, err := metav1.LabelSelectorAsSelector(&b.monitor.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range b.services {
		if monitor.Matches(labels.Set(s.Labels)) {
			if job := s.Labels[b.monitor.Spec.JobLabel]; job != "digate" {
				t.Errorf("the job of %s is called %q, and the alerts look for digate", s.Name, job)
			}
			for _, p := range s.Spec.Ports {
				if p.Name == b.monitor.Spec.Endpoints[0].Port {
					scraped++
				}
			}
		}
	}
	if scraped != 1 {
		t.Errorf("the ServiceMonitor scrapes each replica %d times", scraped)
	}
	if b.services["digate-headless"].Spec.ClusterIP != corev1.ClusterIPNone {
		t.Error("digate-headless has an address")
	}
}

// What the Pod Security Standard "restricted" asks for, and what digate can do without
// beyond it.
func TestManifests_PodIsRestricted(t *testing.T) {
	b := read(t)
	pod, c := b.pod().SecurityContext, b.container(t).SecurityContext
	switch {
	case pod == nil || c == nil:
		t.Fatal("no security context")
	case pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot || pod.RunAsUser == nil || *pod.RunAsUser == 0:
		t.Error("the user may be root")
	case pod.SeccompProfile == nil || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Error("no seccomp profile")
	case c.AllowPrivilegeEscalation == nil || *c.AllowPrivilegeEscalation:
		t.Error("privileges may grow")
	case c.Capabilities == nil || !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(c.Capabilities.Add) > 0:
		t.Error("it has capabilities")
	case c.ReadOnlyRootFilesystem == nil || !*c.ReadOnlyRootFilesystem:
		t.Error("its root can be written")
	case b.pod().AutomountServiceAccountToken == nil || *b.pod().AutomountServiceAccountToken:
		t.Error("it has a token for Kubernetes")
	}
	containerfile, err := os.ReadFile(root + "/deploy/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^USER 65532:65532$`).Match(containerfile) || *pod.RunAsUser != 65532 || *pod.RunAsGroup != 65532 {
		t.Error("the user is not that of the image")
	}
	if limit := b.container(t).Resources.Limits; limit.Memory().Value() != 512<<20 || env(t, b)["GOMEMLIMIT"] != "460MiB" {
		t.Error("GOMEMLIMIT is not nine tenths of the limit of memory")
	}
}

// The server itself takes the environment of the container, knows every variable, and
// listens on the ports that the manifests name. It drains for longer than the longest
// call takes, and has the time for it.
func TestManifests_ServerTakesTheSettings(t *testing.T) {
	b := read(t)
	c := b.container(t)
	if !slices.Equal(c.Args, []string{"serve"}) {
		t.Errorf("it runs %q", c.Args)
	}
	settings := show(t, env(t, b))
	for name, port := range map[string]string{"grpc": "grpc-addr", "http": "http-addr", "admin": "admin-addr"} {
		found := false
		for _, p := range c.Ports {
			found = found || p.Name == name && settings[port] == ":"+strconv.Itoa(int(p.ContainerPort))
		}
		if !found {
			t.Errorf("port %s is not that of %s", name, settings[port])
		}
	}
	if settings["ledger"] == "memory" || settings["tls-cert-file"] == "" {
		t.Errorf("ledger %v, certificate %v", settings["ledger"], settings["tls-cert-file"])
	}
	duration := func(name string) time.Duration {
		d, err := time.ParseDuration(settings[name].(string))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	longest := max(duration("max-deadline"), duration("upstream-timeout"), duration("bulk-item-timeout"))
	drain, delay := duration("shutdown-timeout"), duration("drain-delay")
	grace := time.Duration(*b.pod().TerminationGracePeriodSeconds) * time.Second
	// A call may begin at the end of the delay. What is cut hears of it after the drain.
	if drain <= longest || grace < delay+drain+lastWords {
		t.Errorf("a call takes %v, a drain %v and %v before it, and the pod has %v", longest, drain, delay, grace)
	}
	// The endpoints change when the pod is told to end; those who watch them, a little
	// later. A balancer that asks by itself needs as many failures as the probe.
	if probe := c.ReadinessProbe; delay < time.Duration(probe.PeriodSeconds*probe.FailureThreshold)*time.Second {
		t.Errorf("the pod drains after %v, before a probe notices", delay)
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
		t.Error("the end waits twice: in preStop, where the pod is ready, and for --drain-delay")
	}
	for name, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
		want := map[bool]string{true: "/healthz", false: "/readyz"}[name == "liveness"]
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Port.StrVal != "admin" || probe.HTTPGet.Path != want {
			t.Errorf("the %s probe asks %v", name, probe)
		}
	}
}

// env returns the environment of the container. Files are those of a temporary folder
// that has what the mounted secrets have. Secrets are there by reference alone.
func env(t *testing.T, b base) map[string]string {
	t.Helper()
	files := t.TempDir()
	certificate, key := keyPair(t)
	secrets := map[string]map[string][]byte{
		"digate-tls":    {"tls.crt": certificate, "tls.key": key},
		"digate-ledger": {"url": []byte("postgres://digate:hunter2@postgres.example/digate?sslmode=verify-full"), "key": []byte(strings.Repeat("0a", 32) + "\n")},
	}
	c := b.container(t)
	for _, v := range b.pod().Volumes {
		secret := secrets[v.Secret.SecretName]
		if secret == nil {
			t.Fatalf("volume %s: there is no secret %s", v.Name, v.Secret.SecretName)
		}
		for _, item := range v.Secret.Items {
			secret = map[string][]byte{item.Path: secret[item.Key]}
		}
		for _, m := range c.VolumeMounts {
			for name, content := range secret {
				path := filepath.Join(files, m.MountPath, name)
				if m.Name != v.Name {
					continue
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, content, 0o400); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	all := make(map[string]string)
	for _, e := range c.Env {
		switch {
		case e.ValueFrom == nil && strings.HasPrefix(e.Value, "/"):
			all[e.Name] = files + e.Value
		case e.ValueFrom == nil:
			all[e.Name] = e.Value
		default:
			ref := e.ValueFrom.SecretKeyRef
			if all[e.Name] = string(secrets[ref.Name][ref.Key]); all[e.Name] == "" {
				t.Errorf("%s: there is no key %s in %s", e.Name, ref.Key, ref.Name)
			}
		}
	}
	return all
}

func keyPair(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"digate"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// show returns the settings in force in an environment.
func show(t *testing.T, env map[string]string) map[string]any {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "digate")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./cmd/digate")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(binary, "config", "show", "--output", "json")
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil || complaint.Len() > 0 {
		t.Fatalf("%v\n%s", err, &complaint)
	}
	var list struct {
		Settings []struct {
			Name  string
			Value any
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	settings := make(map[string]any)
	for _, s := range list.Settings {
		settings[s.Name] = s.Value
	}
	return settings
}
