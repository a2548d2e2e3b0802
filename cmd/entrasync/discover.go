package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/target"
)

func (a *app) discoverCommand() *cobra.Command {
	var sel selection
	asCSV := false
	cmd := &cobra.Command{
		Use:   "discover SYNC",
		Short: "List the target's accounts: kept, would be adopted, without a user in the directory",
		Long: `Reads the directory and lists the target's accounts with who they belong to. Nothing is changed.
Where the sync reads from several tenants it is told for each, and what another one keeps is left
out. With --csv it prints those that nobody in the directory has, in the form in which Entra's
"Bulk create" takes users. The column of initial passwords is left for you to fill in.`,
		Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			sel.syncs = args
			return a.discover(cmd.Context(), sel, asCSV)
		},
	}
	sel.tenantFlag(cmd)
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the accounts without a user as CSV for Entra's bulk import")
	return cmd
}

func (a *app) discover(ctx context.Context, sel selection, asCSV bool) error {
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	syncs, err := selected(w, sel)
	if err != nil {
		return err
	}
	several := len(syncs) > 1
	if several && asCSV {
		return advice.With(fmt.Errorf("the users to import are those that one tenant lacks, and sync %s reads from %d", sel.syncs[0], len(syncs)), "name the tenant with --tenant")
	}
	visit, done := a.printAccount, func() error { return nil }
	if asCSV {
		visit, done = a.bulkImport()
	}
	for _, s := range syncs {
		if several && !a.json {
			fmt.Fprintf(a.out, "tenant %s:\n", s.TenantName)
		}
		err := a.discoverOne(ctx, w, s, func(account reconcile.Account) error {
			if several && account.Others { // it is told of where it belongs
				return nil
			}
			if a.json && !asCSV {
				return a.printJSON(discovered{account, s.Tenant.String(), s.TenantName})
			}
			return visit(account)
		})
		if err != nil {
			return err
		}
	}
	return done()
}

// A discovered account is one line of `discover --json`.
type discovered struct {
	reconcile.Account
	Tenant     string `json:"tenant"`
	TenantName string `json:"tenant_name"`
}

func (a *app) discoverOne(ctx context.Context, w *worker.Worker, s *compile.Sync, visit func(reconcile.Account) error) error {
	progress, done := a.progress(s.Name)
	defer done()
	syncer, release, err := w.Syncer(ctx, s, progress)
	if err != nil {
		return err
	}
	defer release()
	return syncer.Discover(ctx, visit)
}

// printAccount prints one account.
func (a *app) printAccount(account reconcile.Account) error {
	_, err := fmt.Fprintf(a.out, "%-10s %s  %s\n", account.State, printable(account.Key), a.paint("2", "("+printable(account.TargetID+": "+account.Why)+")"))
	return err
}

// The columns of Entra's template for bulk creation, and where an account has them. The first
// line of the file is the template's version.
const bulkVersion = "version:v1.0"

var bulkColumns = []struct{ title, path string }{
	{"Name [displayName] Required", "displayName"},
	{"User name [userPrincipalName] Required", "userName"},
	{"Initial password [passwordProfile] Required", ""},
	{"Block sign in (Yes/No) [accountEnabled] Required", "active"},
	{"First name [givenName]", "name.givenName"},
	{"Last name [surname]", "name.familyName"},
	{"Job title [jobTitle]", "title"},
	{"Department [department]", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"},
	{"Usage location [usageLocation]", ""},
	{"Street address [streetAddress]", `addresses[type eq "work"].streetAddress`},
	{"State or province [state]", `addresses[type eq "work"].region`},
	{"Country or region [country]", `addresses[type eq "work"].country`},
	{"Office [physicalDeliveryOfficeName]", ""},
	{"City [city]", `addresses[type eq "work"].locality`},
	{"ZIP or postal code [postalCode]", `addresses[type eq "work"].postalCode`},
	{"Office phone [telephoneNumber]", `phoneNumbers[type eq "work"].value`},
	{"Mobile phone [mobile]", `phoneNumbers[type eq "mobile"].value`},
}

// bulkImport writes the accounts that nobody in the directory has. Those of people who are in
// the directory and not in scope are left out: they need an assignment, not a second user.
func (a *app) bulkImport() (visit func(reconcile.Account) error, done func() error) {
	titles := make([]string, len(bulkColumns))
	for i, column := range bulkColumns {
		titles[i] = column.title
	}
	fmt.Fprintln(a.out, bulkVersion)
	out := csv.NewWriter(a.out)
	_ = out.Write(titles) // the writer keeps its first error
	visit = func(account reconcile.Account) error {
		if account.State != reconcile.NoSource || account.SourceID != nil {
			return nil
		}
		row := make([]string, len(bulkColumns))
		for i, column := range bulkColumns {
			row[i] = withoutFormula(bulkValue(column.path, &account))
		}
		return out.Write(row)
	}
	return visit, func() error {
		out.Flush()
		return out.Error()
	}
}

// sumOnly is a value that a spreadsheet may take for a number or a sum, and nothing worse: a telephone
// number often begins with a plus.
var sumOnly = regexp.MustCompile(`^[+-][0-9 ()./-]*$`)

// withoutFormula keeps a spreadsheet from running a value as a formula: people open the file before they
// import it, and anybody with an account may have chosen the value (CWE-1236).
func withoutFormula(value string) string {
	if value == "" || !strings.ContainsRune("=+-@\t\r＝＋－＠|%", []rune(value)[0]) || sumOnly.MatchString(value) {
		return value
	}
	return "'" + value
}

func bulkValue(text string, account *reconcile.Account) string {
	if text == "" {
		return ""
	}
	path, err := target.ParsePath(text)
	if err != nil {
		return ""
	}
	value := ""
	if v := account.Resource.Value(path); v != nil {
		value = strings.TrimSpace(printable(fmt.Sprint(v)))
	}
	switch {
	case text == "active":
		return map[bool]string{true: "Yes", false: "No"}[strings.EqualFold(value, "false")]
	case text == "displayName" && value == "":
		return account.Key
	}
	return value
}
