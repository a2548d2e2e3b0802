package check

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"entrasync/configs"
	"entrasync/target/all"
)

// SecretWarnings names the files with secrets that every user of this machine can read.
func SecretWarnings(cfg *configs.Config) (warnings []string) {
	if runtime.GOOS == "windows" {
		return nil // it has no mode bits; who may read is in access control lists, which are not looked at
	}
	for _, f := range secretFiles(cfg) {
		info, err := os.Stat(f.path)
		if err != nil {
			continue // what needs it reports that
		}
		if mode := info.Mode().Perm(); mode&0o007 != 0 {
			warnings = append(warnings, fmt.Sprintf("%s: every user of this machine can read %s (mode %04o); run: chmod o-rwx %s", f.key, f.path, mode, f.path))
		}
	}
	return warnings
}

// A secretFile is a file that holds a secret, and the key that names it.
type secretFile struct{ key, path string }

// secretFiles are those of the whole configuration, in its order.
func secretFiles(cfg *configs.Config) (files []secretFile) {
	add := func(key string, s configs.Secret) {
		if s.File != "" {
			files = append(files, secretFile{key + "_file", s.File})
		}
	}
	app := func(key string, a *configs.App) {
		if a == nil {
			return
		}
		add(key+".client_secret", a.ClientSecret)
		add(key+".certificate", a.Certificate)
		add(key+".certificate_password", a.CertificatePassword)
		if a.WorkloadIdentity != nil && a.WorkloadIdentity.TokenFile != "" {
			files = append(files, secretFile{key + ".workload_identity.token_file", a.WorkloadIdentity.TokenFile})
		}
	}
	app("app", cfg.App)
	add("http.token", cfg.HTTP.Token)
	if cfg.HTTP.Basic != nil {
		add("http.basic.password", cfg.HTTP.Basic.Password)
	}
	for name, tenant := range cfg.Tenants.All() {
		app("tenants."+name+".app", tenant.App)
	}
	for name, section := range cfg.Targets.All() {
		fresh, known := all.Types[section.Type]
		if !known {
			continue
		}
		options := fresh()
		if section.Options.Decode(options) == nil {
			files = append(files, secretOptions(reflect.ValueOf(options).Elem(), "targets."+name)...)
		}
	}
	return files
}

// secretKeys end the names of options that name a file with a secret.
var secretKeys = []string{"token_file", "secret_file", "password_file", "key_file", "dsn_file"}

func secretOptions(v reflect.Value, key string) (files []secretFile) {
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Tag.Get("yaml")
		if field.Kind() == reflect.Pointer && !field.IsNil() {
			field = field.Elem()
		}
		switch {
		case field.Kind() == reflect.Struct:
			files = append(files, secretOptions(field, key+"."+name)...)
		case field.Kind() == reflect.Map && field.Type().Elem().Kind() == reflect.Struct: // secrets by name
			for _, chosen := range slices.SortedFunc(slices.Values(field.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
				if path := field.MapIndex(chosen).FieldByName("File"); path.IsValid() && path.String() != "" {
					files = append(files, secretFile{key + "." + name + "." + chosen.String() + ".file", path.String()})
				}
			}
		case field.Kind() == reflect.String && field.String() != "":
			for _, end := range secretKeys {
				if strings.HasSuffix(name, end) {
					files = append(files, secretFile{key + "." + name, field.String()})
				}
			}
		}
	}
	return files
}
