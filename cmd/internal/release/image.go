package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
)

// The user of the image, and the folder that it may write to.
const (
	imageUser   = 65532
	stateFolder = "var/lib/entrasync/"
)

type object = map[string]any

// image makes an image of the program, certificate authorities and a folder for the state: no shell, nothing else. It
// is an OCI image layout (opencontainers/image-spec) in a tar file, as skopeo, podman load and docker load take it.
func image(p program, version, certificates string) ([]byte, error) {
	text, err := os.ReadFile(p.path)
	if err != nil {
		return nil, err
	}
	authorities, err := os.ReadFile(certificates)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authorities of the image: %w", err)
	}
	if block, _ := pem.Decode(authorities); block == nil {
		return nil, fmt.Errorf("%s holds no certificate", certificates)
	}
	layer, err := tarred([]file{
		{"etc/", 0o755, nil}, {"etc/ssl/", 0o755, nil}, {"etc/ssl/certs/", 0o755, nil}, {"etc/ssl/certs/ca-certificates.crt", 0o644, authorities},
		{"etc/passwd", 0o644, fmt.Appendf(nil, "entrasync:x:%d:%d::/var/lib/entrasync:/sbin/nologin\n", imageUser, imageUser)},
		{"usr/", 0o755, nil}, {"usr/bin/", 0o755, nil}, {"usr/bin/entrasync", 0o755, text},
		{"var/", 0o755, nil}, {"var/lib/", 0o755, nil}, {stateFolder, 0o700, nil},
	})
	if err != nil {
		return nil, err
	}
	packed, err := gzipped(layer)
	if err != nil {
		return nil, err
	}
	config := asJSON(object{
		"architecture": p.arch, "os": p.system,
		"config": object{
			"User": fmt.Sprintf("%d:%d", imageUser, imageUser), "Entrypoint": []string{"/usr/bin/entrasync"}, "Cmd": []string{"run"}, "WorkingDir": "/var/lib/entrasync",
			"Labels": object{"org.opencontainers.image.title": "entrasync", "org.opencontainers.image.version": version},
		},
		"rootfs": object{"type": "layers", "diff_ids": []string{digest(layer)}},
	})
	const kind = "application/vnd.oci.image."
	manifest := asJSON(object{
		"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": described(kind+"config.v1+json", config),
		"layers": []object{described(kind+"layer.v1.tar+gzip", packed)},
	})
	entry := described(kind+"manifest.v1+json", manifest)
	entry["annotations"] = object{"org.opencontainers.image.ref.name": version}
	return tarred([]file{
		{"oci-layout", 0o644, asJSON(object{"imageLayoutVersion": "1.0.0"})},
		{"index.json", 0o644, asJSON(object{"schemaVersion": 2, "mediaType": kind + "index.v1+json", "manifests": []object{entry}})},
		blob(config), blob(manifest), blob(packed),
	})
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func described(kind string, content []byte) object {
	return object{"mediaType": kind, "digest": digest(content), "size": len(content)}
}

func blob(content []byte) file {
	return file{fmt.Sprintf("blobs/sha256/%x", sha256.Sum256(content)), 0o644, content}
}

// asJSON encodes what is known to have a form in JSON; keys are sorted.
func asJSON(v any) []byte {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		panic(err)
	}
	return b.Bytes()
}
