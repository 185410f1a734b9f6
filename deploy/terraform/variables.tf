variable "name" {
  description = "Prefix of everything that is made."
  type        = string
  default     = "flota"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "2 to 16 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.84.0.0/16"
  validation {
    condition     = can(cidrnetmask(var.cidr)) && tonumber(split("/", var.cidr)[1]) <= 20
    error_message = "An IPv4 block of at least /20."
  }
}

variable "zones" {
  description = "Availability zones in which tasks run. One halves the cost of the endpoints and stops with its zone; database.multi_az is apart."
  type        = number
  default     = 2
  validation {
    condition     = contains([1, 2], var.zones)
    error_message = "1 or 2."
  }
}

variable "console_domain" {
  description = "Name under which admins reach the console; its DNS record points to the load balancer (output console_target)."
  type        = string
  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.console_domain))
    error_message = "A host name in lower case."
  }
}

variable "certificate_arn" {
  description = "ACM certificate for console_domain, in this region."
  type        = string
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "The ARN of an ACM certificate."
  }
}

variable "mqtt_domain" {
  description = "Name under which devices reach the broker, in its certificates; its DNS record points to output mqtt_target. Devices keep it for life."
  type        = string
  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.mqtt_domain))
    error_message = "A host name in lower case."
  }
}

variable "console_networks" {
  description = "Who may reach the console and the REST API, which also serves devices whose certificate has expired."
  type        = list(string)
  default     = ["0.0.0.0/0"]
  validation {
    condition     = alltrue([for block in var.console_networks : can(cidrnetmask(block))])
    error_message = "IPv4 blocks."
  }
}

variable "image_tag" {
  description = "Tag (or sha256:… digest) of the images that run, in the repositories of output repositories."
  type        = string
  validation {
    condition     = var.image_tag != "latest" && length(var.image_tag) > 0
    error_message = "A tag that does not move."
  }
}

variable "started" {
  description = "False until secrets and the CA's directory are in place (README.md): everything is made, nothing runs."
  type        = bool
  default     = false
}

variable "webhook" {
  description = "Size of a copy of the webhook (Fargate CPU units and MiB) and how many there are."
  type = object({
    cpu    = optional(number, 1024)
    memory = optional(number, 2048)
    min    = optional(number, 2)
    max    = optional(number, 8)
  })
  default = {}
  validation {
    condition     = var.webhook.min >= 2 && var.webhook.max >= var.webhook.min
    error_message = "At least two copies, and max not below min."
  }
}

variable "broker" {
  description = "Size of an EMQX node and how many there are. The number is fixed: each has its own volume and certificate."
  type = object({
    cpu    = optional(number, 2048)
    memory = optional(number, 4096)
    nodes  = optional(number, 2)
  })
  default = {}
  validation {
    condition     = var.broker.nodes >= 1 && var.broker.nodes <= 7
    error_message = "1 to 7 nodes: the core nodes of EMQX."
  }
}

variable "database" {
  description = "RDS for PostgreSQL."
  type = object({
    instance_class = optional(string, "db.m7g.large")
    storage_gb     = optional(number, 50)
    max_storage_gb = optional(number, 500)
    multi_az       = optional(bool, true)
    backup_days    = optional(number, 14)
  })
  default = {}
  validation {
    condition     = var.database.storage_gb >= 20 && var.database.max_storage_gb >= var.database.storage_gb
    error_message = "At least 20 GB, and max_storage_gb not below storage_gb."
  }
  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "backup_days: 1 to 35."
  }
}

variable "ca_keys" {
  description = "KMS keys of issuing CAs. One more before each rotation (deploy/OPERATIONS.md), never one less."
  type        = number
  default     = 1
  validation {
    condition     = var.ca_keys >= 1 && var.ca_keys <= 9 && floor(var.ca_keys) == var.ca_keys
    error_message = "1 to 9."
  }
}

variable "cdn_public_key" {
  description = "PEM of the public key that signed downloads are verified with; its private half goes into the secret cdn_private_key."
  type        = string
  validation {
    condition     = startswith(trimspace(var.cdn_public_key), "-----BEGIN PUBLIC KEY-----")
    error_message = "A public key (PEM)."
  }
}

variable "cdn_price_class" {
  description = "Where CloudFront serves from."
  type        = string
  default     = "PriceClass_100"
  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.cdn_price_class)
    error_message = "PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "alarm_email" {
  description = "Who is told of alarms; confirm the subscription. Null: nobody."
  type        = string
  default     = null
  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+$", var.alarm_email))
    error_message = "An e-mail address."
  }
}

variable "oidc" {
  description = "Single sign-on (OpenID Connect); roles: group=role,group=role. The client's secret goes into the secret oidc_client_secret. Null: none."
  type = object({
    issuer     = string
    client_id  = string
    roles      = string
    role_claim = optional(string, "groups")
    button     = optional(string, "Single sign-on")
  })
  default = null
  validation {
    condition     = var.oidc == null || can(regex("^https://[^?#]+$", var.oidc.issuer))
    error_message = "issuer: an https address without a query."
  }
}

variable "mail" {
  description = "Notifications by e-mail, through SES: its address with its login (smtp://user:password@email-smtp.eu-west-1.amazonaws.com:587) goes into the secret smtp_url. Null: none."
  type = object({
    from = string
    tls  = optional(string, "required")
  })
  default = null
  validation {
    condition     = var.mail == null ? true : can(regex("^[^@\\s]+@[^@\\s]+$", var.mail.from)) && contains(["required", "off"], var.mail.tls)
    error_message = "from: an e-mail address; tls: required or off."
  }
}

variable "encryption" {
  description = "Firmware of hardware that is chosen in the console may be kept and sent encrypted. The master keys (openssl rand -base64 32; the newest first, with commas) go into the secret sealing_keys."
  type        = bool
  default     = false
}

variable "telemetry_database" {
  description = "Where the broker writes telemetry (TimescaleDB, emqx/recipes), reached inside the VPC or by its peerings: charts are read from there. The address with a login that may only read (postgres://…) goes into the secret telemetry_database_url. Null: telemetry is in our database."
  type = object({
    cidr = string
    port = optional(number, 5432)
  })
  default = null
  validation {
    condition     = var.telemetry_database == null ? true : can(cidrhost(var.telemetry_database.cidr, 0)) && var.telemetry_database.port >= 1 && var.telemetry_database.port <= 65535
    error_message = "cidr: 10.0.8.0/24, for one; port: 1 to 65535."
  }
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365, 731], var.log_days)
    error_message = "7, 14, 30, 60, 90, 180, 365 or 731."
  }
}

variable "github_repository" {
  description = "owner/name of the repository whose workflow may push images and roll out, by OpenID Connect. Null: none."
  type        = string
  default     = null
  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "owner/name."
  }
}

variable "protect" {
  description = "Refuse to destroy database, bucket and load balancers."
  type        = bool
  default     = true
}

variable "tags" {
  description = "On everything."
  type        = map(string)
  default     = {}
}
