-- What an administrator sets for SCIM under Users, Authentication, SAML settings: just-in-time provisioning
-- with SCIM, the attributes of a user's name and last name, and for every group the role User and the user
-- group Guests; and under Users, API tokens: a token of a super administrator.
insert into userdirectory values (1, 'SAML', '', 2, 1);
insert into userdirectory_saml (userdirectoryid, idp_entityid, sso_url, username_attribute, sp_entityid, group_name, user_username, user_lastname, scim_status)
	values (1, 'idp', 'https://idp.example/sso', 'uid', 'zabbix', 'groups', 'displayName', 'title', 1);
insert into userdirectory_idpgroup values (1, 1, 1, '*');
insert into userdirectory_usrgrp values (1, 1, 8);
update config set saml_auth_enabled = 1, saml_jit_status = 1, disabled_usrgrpid = 9;
insert into token (tokenid, name, userid, token, status, expires_at, created_at, creator_userid)
	values (1, 'scim', 1, encode(sha512(:'token'::bytea), 'hex'), 0, 0, 0, 1);
