package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/sample"
)

type emulateFlags struct {
	listen  string
	users   int
	seed    uint64
	caDir   string
	tenants int

	redirects []string
}

// emulated is what `emulate --json` prints.
type emulated struct {
	Format       string        `json:"format"`
	Cloud        emulatedCloud `json:"cloud"`
	CAFile       string        `json:"ca_file"`
	ClientID     string        `json:"client_id"`
	ClientSecret string        `json:"client_secret"`
	Tenants      []string      `json:"tenants"`
	RedirectURIs []string      `json:"redirect_uris"`
}

type emulatedCloud struct {
	Authority string `json:"authority"`
	Graph     string `json:"graph"`
}

// sampleRedirects are where the consent pages are when they are tried out on this machine.
var sampleRedirects = []string{"http://127.0.0.1:8418/consent/callback", "http://localhost:8418/consent/callback"}

func emulateCommand(a *app) *cobra.Command {
	f := emulateFlags{}
	cmd := &cobra.Command{
		Use:   "emulate",
		Short: "Run the Graph emulator alone",
		Long: `Serves an emulated Microsoft Entra tenant: token endpoint, Microsoft Graph and admin consent, over
TLS with its own certificate authority. It prints the configuration to use with it and runs until
it is interrupted. Tenants join by the link of entrasync consent, too, with public_url
http://127.0.0.1:8418 or what --redirect-uri says. The sample tenant and its app are always the same; --seed makes other people.`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.emulate(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8443", "loopback address and port; port 0 picks a free one")
	cmd.Flags().IntVar(&f.users, "users", 50, "people in each tenant")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "makes other people of the same number")
	cmd.Flags().IntVar(&f.tenants, "tenants", 1, "number of tenants")
	cmd.Flags().StringArrayVar(&f.redirects, "redirect-uri", sampleRedirects, "redirect URI of the app, for consent by a link: consent.public_url with /consent/callback")
	cmd.Flags().StringVar(&f.caDir, "ca-dir", ".", "folder for the CA certificate")
	return cmd
}

func (a *app) emulate(ctx context.Context, f emulateFlags) error {
	if f.users < 1 || f.tenants < 1 {
		return fmt.Errorf("--users and --tenants must be at least 1")
	}
	server, tenants := sample.Server(f.users, f.seed, f.tenants, f.redirects...)
	running, err := server.Start(f.listen)
	if err != nil {
		return err
	}
	defer running.Close()
	ca, err := running.CAFile(f.caDir)
	if err != nil {
		return err
	}
	if ca, err = filepath.Abs(ca); err != nil {
		return err
	}
	if a.json {
		ids := make([]string, len(tenants))
		for i, t := range tenants {
			ids[i] = t.ID().String()
		}
		err = a.printer().Document(emulated{"entrasync/emulate/1", emulatedCloud{running.URL, running.URL}, ca, sample.ClientID, sample.ClientSecret, ids, f.redirects})
	} else {
		fmt.Fprintf(a.out, "# Run entrasync with SSL_CERT_FILE=%s and this configuration:\ncloud: {authority: %q, graph: %q}\napp:\n  client_id: %s\n  client_secret: %s\ntenants:\n",
			ca, running.URL, running.URL, sample.ClientID, sample.ClientSecret)
		for i, t := range tenants {
			_, err = fmt.Fprintf(a.out, "  %s: {id: %s}\n", sample.TenantName(i), t.ID())
		}
	}
	if err != nil {
		return err
	}
	if file, ok := a.out.(*os.File); ok {
		_ = file.Sync() // a reader on a pipe wants it now
	}
	return running.Serve(ctx)
}
