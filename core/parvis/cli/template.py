"""The parvis.toml that `parvis init` writes, in each language; lines behind # show the defaults."""

from __future__ import annotations

_EN = """\
# Configuration of a Parvis instance. Lines behind # show what holds without them.
# Every setting can also come from the environment, which wins: PARVIS_SERVER_PORT=8080.
# After a change: restart the service. `parvis doctor` checks everything, `parvis config show` prints it.

[site]
# The name and a line about the community, on every page.
name = <name>
tagline = <tagline>
# The address that members type, with https:// in front of a company's own site.
url = <url>
# The language of visitors and new members: "fr" or "en".
language = <language>
time_zone = <time_zone>
# theme = "default"

[server]
# 127.0.0.1 answers this machine alone: a proxy such as Caddy or nginx stands in front and speaks HTTPS.
# host = "127.0.0.1"
# port = 8000
# Web processes. One serves some hundred members; more need PostgreSQL to be of use.
# workers = 1
# Proxies whose X-Forwarded-* headers are believed, as addresses or networks.
# trusted_proxies = ["127.0.0.1", "::1"]
# Host names that are answered; without this line the name in site.url and this machine's own.
# allowed_hosts = ["community.example.com"]

[database]
# SQLite needs no server; a relative path starts at this folder. For PostgreSQL:
# url = "postgresql://user:password@localhost:5432/parvis"
# A password had better stand in the environment: PARVIS_DATABASE_URL.
url = <database_url>
# Connections that each web process keeps open to PostgreSQL at most.
# pool_size = 10

[files]
# Uploads. Sizes in MB of 1,000,000 bytes; a quota of 0 is no quota.
# folder = "data/files"
# max_upload_mb = 50
# member_quota_mb = 0

[plugins]
# Start the core alone when a plugin keeps the site from starting.
# safe_mode = false

[log]
# "debug", "info", "warning" or "error"; "text" for people, "json" for programs. It goes to stderr.
# level = "info"
# format = "text"

[limits]
# How often a person may do something: "how many/how long" with s, m, h or d; 0 switches a limit off.
# publish = "30/10m"
"""

_FR = """\
# Configuration d’une instance Parvis. Les lignes derrière # montrent ce qui vaut sans elles.
# Chaque réglage peut aussi venir de l’environnement, qui l’emporte : PARVIS_SERVER_PORT=8080.
# Après un changement : redémarrez le service. « parvis doctor » vérifie tout.

[site]
# Le nom de la communauté et une phrase qui la présente, sur chaque page.
name = <name>
tagline = <tagline>
# L’adresse que tapent les membres, avec https:// devant le site d’une entreprise.
url = <url>
# La langue des visiteurs et des nouveaux membres : "fr" ou "en".
language = <language>
time_zone = <time_zone>
# theme = "default"

[server]
# 127.0.0.1 ne répond qu’à cette machine : un proxy comme Caddy ou nginx se place devant et parle HTTPS.
# host = "127.0.0.1"
# port = 8000
# Processus web. Un seul sert quelques centaines de membres ; davantage ne sert qu’avec PostgreSQL.
# workers = 1
# Proxys dont les en-têtes X-Forwarded-* sont crus, par adresse ou par réseau.
# trusted_proxies = ["127.0.0.1", "::1"]
# Noms d’hôte servis ; sans cette ligne, celui de site.url et ceux de cette machine.
# allowed_hosts = ["communaute.example.com"]

[database]
# SQLite ne demande aucun serveur ; un chemin relatif part de ce dossier. Pour PostgreSQL :
# url = "postgresql://utilisateur:motdepasse@localhost:5432/parvis"
# Un mot de passe est mieux dans l’environnement : PARVIS_DATABASE_URL.
url = <database_url>
# Connexions que chaque processus web garde ouvertes vers PostgreSQL, au plus.
# pool_size = 10

[files]
# Fichiers déposés. Tailles en Mo de 1 000 000 d’octets ; un quota de 0 signifie aucun quota.
# folder = "data/files"
# max_upload_mb = 50
# member_quota_mb = 0

[plugins]
# Démarre le cœur seul quand un module empêche le site de démarrer.
# safe_mode = false

[log]
# "debug", "info", "warning" ou "error" ; "text" pour lire, "json" pour les programmes ; vers stderr.
# level = "info"
# format = "text"

[limits]
# Combien de fois une personne peut faire une chose : "combien/en combien de temps", en s, m, h ou d ;
# 0 supprime la limite.
# publish = "30/10m"
"""

TEMPLATES = {"en": _EN, "fr": _FR}
