package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/registration"
	"entrasync/configs"
)

// registered is what `register --json` prints.
type registered struct {
	Format string `json:"format"`
	registration.App
}

func registerCommand(a *app) *cobra.Command {
	var form, name string
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Print what makes the app registration in Microsoft Entra",
		Long: `Prints a script or template that makes the app registration with exactly the permissions that the
configuration needs, grants admin consent, and says why each permission is needed. Run it as an administrator of the
directory; entrasync itself changes nothing there. The configuration need not have the app's id yet.`,
		Example: `  entrasync register > register.sh                       # Azure CLI
  entrasync register --form powershell > register.ps1    # Microsoft Graph PowerShell
  entrasync register --form terraform > entrasync.tf
  entrasync register --form bicep > entrasync.bicep`,
		Args: arguments.None,
		RunE: func(*cobra.Command, []string) error { return a.register(form, name) },
	}
	cmd.Flags().StringVar(&form, "form", "az", "tool: "+strings.Join(registration.Forms, ", "))
	cmd.Flags().StringVar(&name, "name", "entrasync", "display name of the app registration")
	return cmd
}

func (a *app) register(form, name string) error {
	if strings.TrimSpace(name) == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("--name is %q, want a name of one line", name)
	}
	file, err := configs.Find(a.configFile)
	var wanted registration.App
	if err == nil {
		wanted, err = registration.Load(name, file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return advice.With(err, "write one with entrasync init: its syncs say which permissions are needed")
	}
	if err != nil {
		return err
	}
	text, err := wanted.Form(form)
	if err != nil {
		return fmt.Errorf("--form: %w", err)
	}
	if a.json {
		return a.printer().Document(registered{"entrasync/registration/1", wanted})
	}
	_, err = fmt.Fprint(a.out, text)
	return err
}
