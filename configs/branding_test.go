package configs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/configs"
)

// A logo is told by its content, and its size is bounded.
func TestReadLogo(t *testing.T) {
	t.Parallel()
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"/>`
	png := "\x89PNG\r\n\x1a\n"
	for name, tt := range map[string]struct{ content, mediaType, fault string }{
		"png":               {png, "image/png", ""},
		"jpeg":              {"\xff\xd8\xff\xe0", "image/jpeg", ""},
		"webp":              {"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp", ""},
		"svg":               {svg, "image/svg+xml", ""},
		"svg with a prolog": {"<?xml version=\"1.0\"?>\n<!-- x -->\n<!DOCTYPE svg>\n" + svg, "image/svg+xml", ""},
		"exactly as large":  {png + strings.Repeat("x", 256<<10-len(png)), "image/png", ""},
		"too large":         {png + strings.Repeat("x", 256<<10-len(png)+1), "", "larger than 256 KiB"},
		"html":              {"<html xmlns=\"http://www.w3.org/1999/xhtml\"><svg xmlns=\"http://www.w3.org/2000/svg\"/></html>", "", "is not a PNG"},
		"svg in no space":   {"<svg/>", "", "is not a PNG"},
		"gif":               {"GIF89a", "", "is not a PNG"},
		"empty":             {"", "", "is not a PNG"},
	} {
		file := filepath.Join(t.TempDir(), "logo.png") // the name decides nothing
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		logo, err := configs.ReadLogo(file)
		if tt.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fault) || !strings.Contains(err.Error(), file) || logo.Data != nil {
				t.Errorf("%s: %+v, %v", name, logo.MediaType, err)
			}
			continue
		}
		if err != nil || logo.MediaType != tt.mediaType || !bytes.Equal(logo.Data, []byte(tt.content)) {
			t.Errorf("%s: %s, %v", name, logo.MediaType, err)
		}
	}
	if _, err := configs.ReadLogo(filepath.Join(t.TempDir(), "none")); err == nil || strings.Count(err.Error(), "none") != 1 {
		t.Errorf("no file: %v", err)
	}
}

// A logo is a file next to the configuration, or an address that stays as it is written.
func TestLogoFile(t *testing.T) {
	t.Parallel()
	good := string(read(t, "testdata/good/branding.yaml"))
	c, err := configs.Parse("testdata/good/branding.yaml", []byte(good), forms, targets)
	if err != nil || c.Consent.LogoFile() != "testdata/good/logo.svg" {
		t.Fatalf("%+v, %v", c, err)
	}
	const address = "https://cdn.example.com/a;b/logo.png?v=2"
	c, err = configs.Parse("testdata/good/branding.yaml", []byte(strings.ReplaceAll(good, "logo: logo.svg", "logo: "+address)), forms, targets)
	if err != nil || c.Consent.LogoFile() != "" || c.Consent.Logo != address {
		t.Fatalf("%+v, %v", c, err)
	}
}
