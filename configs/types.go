package configs

import "time"

// A Config is a whole configuration, with defaults filled in and checked.
type Config struct {
	State         State          `yaml:"state" doc:"Folder of the state, one file per tenant, or a PostgreSQL database that several workers share: postgres://user@host/database, or a section with path or dsn_file, and key_file to encrypt it. Default: $STATE_DIRECTORY, else /var/lib/entrasync."`
	Schedule      string         `yaml:"schedule" format:"cron" doc:"When cycles run: five cron fields, optionally after CRON_TZ=Zone, or @every 30m, @hourly, …"`
	FullCycle     string         `yaml:"full_cycle" format:"cron" doc:"When a cycle compares everything again, in the form of schedule. Those of many syncs are spread over the minutes after it, a minute for each and six hours at most."`
	Removals      string         `yaml:"removals" format:"cron-off" doc:"When cycles run between those of schedule that only take access away and give it back, in the form of schedule, such as @every 2m: leavers, disabled users and lost memberships. off: none. A tenant or a sync may have its own."`
	Audit         *Audit         `yaml:"audit" doc:"File that the service writes the audit log to as it grows, for programs that gather logs. Without it the log is in the state alone."`
	Backup        *Backup        `yaml:"backup" doc:"When the service exports its whole state to a folder. Without it nothing is backed up."`
	Notify        *Notify        `yaml:"notify" doc:"Who is told what needs attention, and how. Without it nothing is sent."`
	Notifications *Notifications `yaml:"notifications" doc:"Whether Graph's change notifications start removals cycles early. They are received on the consent pages' address. Without it there are none. A tenant may have its own."`
	Drift         *Drift         `yaml:"drift" doc:"What is done about changes made in the applications, for syncs that say nothing themselves: report, repair, hold, or a section."`
	Freshness     string         `yaml:"freshness" format:"duration-off" doc:"The objective within which a user who is disabled, deleted or leaves a group loses access, such as 10m: metrics, the page and the log say when it is missed. off: none. A tenant or a sync may have its own."`
	History       Expiry         `yaml:"history" doc:"How long runs that did something and lines of the audit log are kept, such as 400d, the default. never: they are not deleted for their age."`
	Cloud         Cloud          `yaml:"cloud" doc:"The Microsoft cloud the tenants are in."`
	App           *App           `yaml:"app" doc:"The Entra app registration that reads the directory. A tenant may name its own instead."`
	HTTP          HTTP           `yaml:"http" doc:"Status page, /healthz, /readyz and /metrics."`
	Consent       *Consent       `yaml:"consent" doc:"The pages on which administrators of other tenants give their consent."`
	Tenants       Map[Tenant]    `yaml:"tenants" doc:"The directories to read, by a name of your choice."`
	Targets       Map[Target]    `yaml:"targets" required:"true" doc:"The applications to provision, by a name of your choice."`
	Syncs         Map[Sync]      `yaml:"syncs" required:"true" doc:"What is provisioned from where to where, by a name of your choice. {tenant} in a constant, an expression or a filter stands for the tenant's name, or its id when it joined by consent."`

	root *node
}

// An App is an app registration and the one credential it signs in with.
type App struct {
	ClientID            string            `yaml:"client_id" format:"guid" doc:"Application (client) ID. May be left out with managed_identity only."`
	ClientSecret        Secret            `yaml:"client_secret" oneof:"credential" doc:"Client secret: its value, not its ID."`
	ClientSecretExpires string            `yaml:"client_secret_expires" format:"date" doc:"Day on which the client secret ends, to be reminded of it. Needed only where it cannot be read from the app registration (which takes Application.Read.All in the app's own tenant)."`
	Certificate         Secret            `yaml:"certificate" oneof:"credential" doc:"Certificate with private key: PEM, or PFX as a file."`
	CertificatePassword Secret            `yaml:"certificate_password" doc:"Password of the certificate's private key."`
	WorkloadIdentity    *WorkloadIdentity `yaml:"workload_identity" oneof:"credential" doc:"Federated credential, such as a Kubernetes service account."`
	ManagedIdentity     *ManagedIdentity  `yaml:"managed_identity" oneof:"credential" doc:"Managed identity of the Azure machine this runs on; {} for the system-assigned one."`
}

// A WorkloadIdentity is a federated credential.
type WorkloadIdentity struct {
	TokenFile string `yaml:"token_file" doc:"The token to exchange. Default: $AZURE_FEDERATED_TOKEN_FILE."`
}

// A ManagedIdentity is an identity that Azure gives to a machine.
type ManagedIdentity struct {
	ClientID string `yaml:"client_id" format:"guid" doc:"Client ID of a user-assigned identity; without it the system-assigned one is used."`
}

// HTTP says where the status page is served and who may see it.
type HTTP struct {
	Listen string `yaml:"listen" format:"listen" doc:"Address and port. Other than on loopback a token or basic credential is needed."`
	Token  Secret `yaml:"token" oneof:"credential" doc:"Bearer token that requests must bring."`
	Basic  *Basic `yaml:"basic" oneof:"credential" doc:"User name and password that browsers ask for."`
}

// Basic is a user name and password.
type Basic struct {
	Username string `yaml:"username" required:"true" doc:"User name."`
	Password Secret `yaml:"password" required:"true" doc:"Password."`
}

// Consent says where the consent pages are and what they show of you.
type Consent struct {
	Listen    string `yaml:"listen" format:"listen" doc:"Address and port on which only the consent pages are served."`
	PublicURL string `yaml:"public_url" format:"https" required:"true" doc:"How browsers reach these pages; register it with /consent/callback as a redirect URI of the app."`
	SignIn    bool   `yaml:"sign_in" doc:"An administrator who consents on a link that is not for one tenant also signs in, so that only a user or guest of an organization can connect it. It takes a client secret, certificate or workload identity, and, where the enterprise application requires assignment, an assigned administrator. false: links are made with --tenant only."`
	// TrustedProxies are prefixes; an address alone is one of its full length.
	TrustedProxies []string `yaml:"trusted_proxies" format:"network" doc:"Addresses or networks of the proxies in front of these pages, whose X-Forwarded-For says who asks. This machine is always one."`

	Name       string `yaml:"name" doc:"Name that your customers know you or your product by, shown on every consent page."`
	Logo       string `yaml:"logo" format:"logo" doc:"Logo next to the name: a PNG, JPEG, WebP or SVG file of at most 256 KiB, which these pages serve, or an https address, which the customer's browser loads from there."`
	SupportURL string `yaml:"support_url" format:"support" doc:"Where customers get help, linked from every consent page: https://... or mailto:support@example.com."`
	PrivacyURL string `yaml:"privacy_url" format:"link" doc:"Your privacy statement, linked from every consent page."`
}

// A Tenant is one directory.
type Tenant struct {
	ID     string `yaml:"id" format:"guid" required:"true" doc:"Tenant ID (directory ID)."`
	App    *App   `yaml:"app" doc:"App registration for this tenant, when not the common one."`
	Cloud  *Cloud `yaml:"cloud" doc:"Cloud of this tenant, when not the common one."`
	Paused bool   `yaml:"paused" doc:"true: this tenant's syncs do not run."`

	Removals      string         `yaml:"removals" format:"cron-off" doc:"Cycles between those of schedule for this tenant, when not the common ones; off: none."`
	Notifications *Notifications `yaml:"notifications" doc:"Change notifications for this tenant, in place of the common section."`
	Freshness     string         `yaml:"freshness" format:"duration-off" doc:"Objective for this tenant, when not the common one; off: none."`
}

// Notifications says which changes Graph is asked to notify of.
type Notifications struct {
	Users  bool `yaml:"users" doc:"true: changes of users, which take User.Read.All. Default: false."`
	Groups bool `yaml:"groups" doc:"true: changes of groups and of their members, which take Group.Read.All. Default: false."`

	ExpectWithin time.Duration `yaml:"expect_within" doc:"How long after a change its notification may come, such as 15m, the default. When three reads in a row found changes and none came for this long, the subscription is reported as silent."`
}

// A Sync provisions the people of tenants to one target.
type Sync struct {
	From       From       `yaml:"from" required:"true" doc:"A tenant, a list of tenants, or consented: every tenant that joins by consent."`
	To         Text       `yaml:"to" required:"true" doc:"The target."`
	Scope      Scope      `yaml:"scope" doc:"Who is provisioned."`
	Users      Users      `yaml:"users" required:"true" doc:"How accounts are matched, written and removed."`
	Groups     Groups     `yaml:"groups" doc:"Whether and how groups are provisioned."`
	Guard      Guard      `yaml:"guard" doc:"More than this in one cycle is held until approved. A limit that is not named keeps its default."`
	Quarantine Quarantine `yaml:"quarantine" doc:"When so many records fail that the sync is paused."`
	Removals   string     `yaml:"removals" format:"cron-off" doc:"Cycles between those of schedule for this sync, when not those of its tenant; off: none."`
	Drift      *Drift     `yaml:"drift" doc:"What is done about changes made in the application: report, repair or hold, or a section. Without it a complete compare writes again what was applied, and reports nothing."`
	Freshness  string     `yaml:"freshness" format:"duration-off" doc:"Objective for this sync, when not that of its tenant; off: none."`
}

// A Scope says who is provisioned.
type Scope struct {
	Users         string  `yaml:"users" enum:"assigned,all" doc:"assigned: those assigned to the enterprise application. all: the whole directory."`
	AppID         string  `yaml:"app_id" format:"guid" doc:"Client ID of the app whose assignments count, when it is not app.client_id."`
	NestedGroups  bool    `yaml:"nested_groups" doc:"true: members of groups inside assigned groups count too."`
	IncludeGuests bool    `yaml:"include_guests" doc:"false: guests are left out."`
	Filter        Filter  `yaml:"filter" doc:"Scoping filter: groups of clauses, AND inside a group, OR between groups."`
	TimeZone      string  `yaml:"time_zone" doc:"Zone in which the days of dates in filters begin, those of groups.source included, such as Europe/Berlin. Default: UTC."`
	Exclude       Exclude `yaml:"exclude" doc:"Who is never provisioned."`
	Include       Include `yaml:"include" doc:"Who is provisioned at all, of those in scope. exclude wins."`
	Protect       []Text  `yaml:"protect" doc:"SCIM filters on target accounts that are never matched, changed or removed."`
}

// Include names groups, by object id or display name.
type Include struct {
	Groups []Text `yaml:"groups" doc:"Groups: object ID, display name, or a pattern in which * stands for any text. When there are any, only their members are provisioned."`
}

// Exclude names users and groups, by object id, user principal name or display name.
type Exclude struct {
	Users  []Text `yaml:"users" doc:"Users: object ID or user principal name."`
	Groups []Text `yaml:"groups" doc:"Groups: object ID, display name, or a pattern in which * stands for any text. Their members are left out."`
}

// A Clause is one comparison of a scoping filter.
type Clause struct {
	Attribute Text  `yaml:"attribute" required:"true" doc:"Directory attribute, without brackets."`
	Operator  Text  `yaml:"operator" required:"true" suggest:"EQUALS,NOT EQUALS,IS TRUE,IS FALSE,IS NULL,IS NOT NULL,REGEX MATCH,NOT REGEX MATCH,GREATER_THAN,GREATER_THAN_OR_EQUALS,INCLUDES,ENDS_WITH,BEFORE,AFTER,WITHIN" doc:"Operator, as in the portal; BEFORE, AFTER and WITHIN compare dates."`
	Value     *Text `yaml:"value" doc:"What to compare with; for a date now, now + 3d, a day or an instant, for WITHIN two of these: now - 30d to now + 3d. None for IS TRUE, IS FALSE, IS NULL and IS NOT NULL."`
}

// Users says how accounts are matched, written and removed.
type Users struct {
	Match        []Text         `yaml:"match" doc:"Matching attributes, tried in order; each needs a mapping. Default: externalId and userName, as far as they are mapped."`
	Actions      []string       `yaml:"actions" enum:"create,update,deactivate,reactivate,delete" doc:"What may be done at all; delete must be named."`
	OnRemove     OnRemove       `yaml:"on_remove" doc:"What happens to the account of a user who is disabled, leaves the scope or is deleted."`
	OnUnassign   OnRemove       `yaml:"on_unassign" doc:"The same for a user who exists and leaves the scope: unassigned, excluded, or kept out by the scoping filter. Default: what on_remove says."`
	OnDelete     OnRemove       `yaml:"on_delete" doc:"The same for a user who is deleted in Entra, restorable or for good. Default: what on_remove says."`
	Attributes   Map[Attribute] `yaml:"attributes" required:"true" doc:"SCIM path of the target attribute: expression over directory attributes, or a section with options."`
	MappingRoles *MappingRoles  `yaml:"mapping_roles" doc:"One directory value decides roles in several scopes."`
}

// Groups says whether and how groups are provisioned.
type Groups struct {
	Enabled    bool           `yaml:"enabled" doc:"true: groups are provisioned."`
	Source     GroupSource    `yaml:"source" doc:"Which groups: assigned, all, or a scoping filter."`
	Match      []Text         `yaml:"match" doc:"Matching attributes, tried in order; each needs a mapping, but for externalId, which without one is compared with the object ID. Default: externalId and displayName, as far as they are mapped."`
	Actions    []string       `yaml:"actions" enum:"create,update,delete" doc:"What may be done at all; delete must be named."`
	Takeover   string         `yaml:"takeover" enum:"hold,adopt,skip" doc:"What happens when the target has a group of that name already."`
	Attributes Map[Attribute] `yaml:"attributes" doc:"SCIM path of the target attribute: expression over directory attributes, or a section with options."`
}

// MappingRoles is a table from one directory value to roles in several scopes.
type MappingRoles struct {
	From    Text             `yaml:"from" required:"true" doc:"Expression whose value is looked up in roles."`
	To      Text             `yaml:"to" required:"true" doc:"Target attribute that takes the roles."`
	NoValue string           `yaml:"no_value" enum:"error,skip,keep" doc:"When the expression has no value."`
	NoMatch string           `yaml:"no_match" enum:"error,skip,keep" doc:"When no mapping role is called like the value."`
	Several string           `yaml:"several" enum:"error,union" doc:"When the expression has several values that name different mapping roles."`
	Roles   Map[Map[[]Text]] `yaml:"roles" required:"true" doc:"Mapping role: scope: roles in that scope."`
}

// Guard holds what is more than usual. A limit without numbers is off.
type Guard struct {
	Removals         Limit  `yaml:"removals" doc:"Accounts deactivated or deleted."`
	Creations        Limit  `yaml:"creations" doc:"Accounts created."`
	Updates          Limit  `yaml:"updates" doc:"Accounts changed, and accounts taken over with another role, user name or address. A percentage counts from 20 linked accounts on."`
	MembersRemoved   Limit  `yaml:"members_removed" doc:"Members taken out of one group, and people who lose their account because they left the group that gave it, counted per group."`
	Lost             Limit  `yaml:"lost" doc:"Accounts that are gone from the target and would be created again. A percentage counts from three on."`
	FirstRunRemovals string `yaml:"first_run_removals" enum:"hold,allow" doc:"Removals in the first cycle of a sync."`
	Identity         Limit  `yaml:"identity" doc:"Links whose account is another one in the target now, as after a restored backup or with the credential of another organization. They are dropped and matched again; more than this wait."`
	RemovalsPerDay   Limit  `yaml:"removals_per_day" doc:"Accounts deactivated or deleted without an approval in 24 hours, so that a slow trickle is seen."`
	Domains          []Text `yaml:"domains" doc:"Domains whose addresses the tenant owns, such as contoso.example. An account that exists with an address elsewhere, or shows none, and every new address elsewhere are held. Tenants that joined by consent have their verified domains without it, where they share an application."`
	GuestAddresses   string `yaml:"guest_addresses" enum:"hold,allow" doc:"allow: guests may be given addresses outside of the tenant's domains. Any administrator can invite any address as a guest."`
	Rejections       Expiry `yaml:"rejections" doc:"How long a rejection lasts, such as 30d; then the hold is asked about again. never: until its source changes or it is taken back."`
	Skipped          Share  `yaml:"skipped" doc:"Share of the people in scope that may be skipped, such as 50%, counted from of_at_least people in scope on. More than that is no success: exit code 3."`
	Administrators   *Text  `yaml:"administrators" doc:"SCIM filter for accounts that administer the application, such as roles[primary eq \"True\"].value eq \"AdminUser\". The last of them is not removed and keeps its role until approved, also when its account is taken over."`
}

// Quarantine says when a sync is paused because too much fails.
type Quarantine struct {
	Failures  Percent `yaml:"failures" doc:"Share of failed records, such as 60%."`
	OfAtLeast int     `yaml:"of_at_least" min:"1" doc:"Fewer records than this never pause a sync."`
}

// An Attribute is one attribute mapping. It is written as an expression alone or as a section.
type Attribute struct {
	Expr     Text      `yaml:"expr" required:"true" doc:"Expression, as in the Entra portal."`
	Required bool      `yaml:"required" doc:"true: without a value the person is skipped and named."`
	Default  *Text     `yaml:"default" doc:"Value when the source has none."`
	Allowed  []Text    `yaml:"allowed" doc:"The only values the target takes, in exact case."`
	Aliases  Map[Text] `yaml:"aliases" doc:"Other spellings the target uses for a value: they are no difference."`
	Priority []Text    `yaml:"priority" doc:"Which value wins when there are several, first is highest."`
	Apply    string    `yaml:"apply" enum:"always,create" doc:"create: written when the account is created, never again."`
	OnNull   string    `yaml:"on_null" enum:"keep,clear,default" doc:"What happens to the target's value when the source has none."`
	Owner    string    `yaml:"owner" enum:"sync,login" doc:"login: the login claim owns it, the sync sets it on creation only."`
	Multi    bool      `yaml:"multi" doc:"true: the value is a list."`
	Redact   bool      `yaml:"redact" doc:"true: the value is hidden in logs, plans and pages."`
}

// OnRemove says what happens to the account of a user who left the scope. The zero value of OnUnassign and OnDelete
// stands for what on_remove says.
type OnRemove struct {
	Action      string        // "deactivate", "delete" or "nothing"
	DeleteAfter time.Duration // with "delete": deactivated at once, deleted after this time
}

// Notify says who is told what needs attention.
type Notify struct {
	Window   time.Duration `yaml:"window" doc:"Events within this time are one message, and a channel gets at most one in it, such as 30s. Default: 1m."`
	Link     string        `yaml:"link" format:"link" doc:"How people reach the operator's page, for links in messages. Default: http with the address of http.listen."`
	Channels Map[Channel]  `yaml:"channels" required:"true" doc:"Where messages go, by a name of your choice."`
}

// A Channel is where messages go, and which.
type Channel struct {
	Type     string   `yaml:"type" required:"true" enum:"webhook,slack,teams,smtp" doc:"webhook: JSON, signed as Standard Webhooks says. slack: an incoming webhook. teams: a workflow of Microsoft Teams. smtp: mail."`
	Events   []string `yaml:"events" enum:"held,failing,recovered,skipped,drift,consent,credential,reload_refused,backup_failed" doc:"Only these events. Default: all."`
	Severity string   `yaml:"severity" enum:"info,warning,critical" doc:"Only events of at least this severity. Default: all."`
	Tenants  []string `yaml:"tenants" doc:"Only these tenants, by name. Default: all, and what concerns the service as a whole."`

	URL    Secret `yaml:"url" doc:"Of webhook, slack and teams: address that messages are posted to. That of Slack and Teams is a secret: give url_file."`
	Secret Secret `yaml:"secret" doc:"Of webhook: signing secret, whsec_ and base64; during a rotation two, each on a line."`
	CAFile string `yaml:"ca_file" doc:"Certificates trusted in addition to the system's, as PEM."`

	Host     string   `yaml:"host" doc:"Of smtp: mail server and port, such as mail.example.com:587."`
	TLS      string   `yaml:"tls" enum:"starttls,tls,none" doc:"Of smtp: starttls (default, usually port 587), tls (usually port 465), or none, which is for a mail server on this machine."`
	From     string   `yaml:"from" doc:"Of smtp: sender."`
	To       []string `yaml:"to" doc:"Of smtp: recipients."`
	Username string   `yaml:"username" doc:"Of smtp: user name, where the server wants one."`
	Password Secret   `yaml:"password" doc:"Of smtp: password."`
}

// An Audit says where the audit log is written to.
type Audit struct {
	File    string `yaml:"file" format:"path" required:"true" doc:"File for the lines, readable by its owner only. A completed one is FILE.000001 and so on."`
	Format  string `yaml:"format" enum:"jsonl,ocsf" doc:"jsonl: a line of JSON for each, with its hash. ocsf: an event of the Open Cybersecurity Schema Framework 1.3.0 for each. Default: jsonl."`
	MaxSize Size   `yaml:"max_size" doc:"Size at which another file is begun, such as 100MiB, which is the default."`
	Keep    int    `yaml:"keep" min:"0" doc:"How many completed files are kept; older ones are deleted. Default: 10."`
}

// A Backup says when and where the state is exported.
type Backup struct {
	Schedule string `yaml:"schedule" format:"cron" doc:"When the state is exported, in the form of the common schedule. Default: every night at 2 (UTC)."`
	Folder   string `yaml:"folder" format:"path" required:"true" doc:"Folder of the exports, on another disk than the state. It is created when it is missing."`
	Keep     int    `yaml:"keep" min:"1" doc:"How many exports are kept; older ones are deleted after a successful export."`
}

// A Drift says what is done about differences between what was applied and what the application holds.
type Drift struct {
	Mode       DriftMode      `yaml:"mode" doc:"report: differences are reported and stay (default). repair: the next cycle writes again what was applied, as far as guards let it. hold: the same, after an approval."`
	Schedule   string         `yaml:"schedule" format:"cron" doc:"When everything is compared, in the form of schedule, such as CRON_TZ=UTC 0 4 * * *. Without it with each complete compare of full_cycle."`
	Active     DriftMode      `yaml:"active" doc:"For accounts that are switched off or on in the application. Without it one that was switched off stays off and is reported, and one that was switched on is treated as mode says."`
	Members    DriftMode      `yaml:"members" doc:"For memberships of groups. Default: mode."`
	Missing    DriftMode      `yaml:"missing" doc:"For accounts and groups that are gone from the application. Default: mode."`
	Attributes Map[DriftMode] `yaml:"attributes" doc:"For single attributes of accounts and groups, by SCIM path. Default: mode."`
}

// A DriftMode is "report", "repair" or "hold"; "" where nothing is said.
type DriftMode string

// An Expiry is how long something lasts; zero is for ever.
type Expiry time.Duration

// A Share is a part of so many. A nil Percent is no limit.
type Share struct {
	Percent   *Percent `yaml:"percent" doc:"At most this share, such as 50 or 50%."`
	OfAtLeast int      `yaml:"of_at_least" min:"1" doc:"Fewer than this are not counted."`
}

// A Limit is the most a cycle may do without an approval. nil is no limit; 0 holds everything.
type Limit struct {
	Count   *int     `yaml:"count" min:"0" doc:"At most so many."`
	Percent *Percent `yaml:"percent" doc:"At most this share of those linked, such as 10 or 10%."`
}
