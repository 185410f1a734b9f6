data "aws_region" "current" {}

locals {
  region    = data.aws_region.current.id
  domain    = "${var.name}.internal"
  ca_name   = "ca.${local.domain}"
  tags      = merge({ Application = var.name }, var.tags)
  log_group = aws_cloudwatch_log_group.all.name
}

module "network" {
  source = "./modules/network"
  name   = var.name
  cidr   = var.cidr
  zones  = var.zones
  mail   = var.mail != null
  tags   = local.tags
}

module "secrets" {
  source       = "./modules/secrets"
  name         = var.name
  broker_nodes = var.broker.nodes
  ca_keys      = var.ca_keys
  oidc         = var.oidc != null
  mail         = var.mail != null
  telemetry    = var.telemetry_database != null
  encryption   = var.encryption
  tags         = local.tags
}

module "storage" {
  source         = "./modules/storage"
  name           = var.name
  console_origin = "https://${var.console_domain}"
  cdn_public_key = var.cdn_public_key
  price_class    = var.cdn_price_class
  protect        = var.protect
  tags           = local.tags
}

module "database" {
  source            = "./modules/database"
  name              = var.name
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = aws_security_group.parts["database"].id
  kms_key_arn       = module.secrets.encryption_key_arn
  settings          = var.database
  protect           = var.protect
  tags              = local.tags
}

module "edge" {
  source             = "./modules/edge"
  name               = var.name
  vpc_id             = module.network.vpc_id
  public_subnet_ids  = module.network.public_subnet_ids
  certificate_arn    = var.certificate_arn
  alb_security_group = aws_security_group.parts["console"].id
  nlb_security_group = aws_security_group.parts["mqtt"].id
  protect            = var.protect
  tags               = local.tags
}

resource "aws_ecr_repository" "images" {
  for_each             = toset(["flota", "flota-tools", "flota-emqx"])
  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.protect
  tags                 = local.tags

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = module.secrets.encryption_key_arn
  }
  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "images" {
  for_each   = aws_ecr_repository.images
  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "The last fifty"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 50 }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_cloudwatch_log_group" "all" {
  name              = "/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = module.secrets.encryption_key_arn
  tags              = local.tags
}

resource "aws_ecs_cluster" "main" {
  name = var.name
  tags = local.tags
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_service_discovery_private_dns_namespace" "internal" {
  name = local.domain
  vpc  = module.network.vpc_id
  tags = local.tags
}

locals {
  image = {
    for name, repository in aws_ecr_repository.images :
    name => startswith(var.image_tag, "sha256:") ? "${repository.repository_url}@${var.image_tag}" : "${repository.repository_url}:${var.image_tag}"
  }
  cluster = {
    arn           = aws_ecs_cluster.main.arn
    name          = aws_ecs_cluster.main.name
    namespace_id  = aws_service_discovery_private_dns_namespace.internal.id
    subnet_ids    = module.network.task_subnet_ids
    log_group     = local.log_group
    log_group_arn = aws_cloudwatch_log_group.all.arn
    region        = local.region
    decrypt_key   = module.secrets.encryption_key_arn
  }
}

module "webhook" {
  source            = "./modules/service"
  name              = "${var.name}-webhook"
  discovery_name    = "webhook"
  cluster           = local.cluster
  image             = local.image["flota"]
  command           = ["webhook/main.js"]
  cpu               = var.webhook.cpu
  memory            = var.webhook.memory
  security_group_id = aws_security_group.parts["webhook"].id
  started           = var.started
  desired           = var.webhook.min
  autoscaling       = { min = var.webhook.min, max = var.webhook.max, cpu_percent = 55 }
  target_group_arn  = module.edge.console_target_group_arn
  port              = 8080
  health_check      = ["CMD", "node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
  tags              = local.tags

  environment = merge({
    PUBLIC_URL      = "https://${var.console_domain}"
    TRUSTED_PROXIES = "1"
    WEBHOOK_WORKERS = tostring(max(1, floor(var.webhook.cpu / 1024)))
    S3_BUCKET       = module.storage.bucket
    AWS_REGION      = local.region
    CDN_URL         = module.storage.cdn_url
    CDN_KEY_PAIR_ID = module.storage.cdn_key_pair_id
    BROKER_API_URL  = "http://emqx-0.${local.domain}:18083"
    BROKER_API_KEY  = "flota"
    BROKER_MQTT_URL = "mqtts://${var.mqtt_domain}:8883"
    CA_URL          = "https://${local.ca_name}:8443"
    }, var.oidc == null ? {} : {
    OIDC_ISSUER     = var.oidc.issuer
    OIDC_CLIENT_ID  = var.oidc.client_id
    OIDC_ROLE_CLAIM = var.oidc.role_claim
    OIDC_ROLES      = var.oidc.roles
    OIDC_BUTTON     = var.oidc.button
    }, var.mail == null ? {} : {
    SMTP_FROM = var.mail.from
    SMTP_TLS  = var.mail.tls
  })
  secrets = merge({
    DATABASE_URL         = module.database.url_secret_arn
    CDN_PRIVATE_KEY      = module.secrets.arns["cdn_private_key"]
    BROKER_API_SECRET    = module.secrets.arns["emqx_api_secret"]
    CA_CLIENT_CERT       = module.secrets.arns["webhook_certificate"]
    CA_CLIENT_KEY        = module.secrets.arns["webhook_key"]
    CA_ROOT              = module.secrets.arns["ca_trust"]
    WEBHOOK_TOKEN        = module.secrets.arns["webhook_token"]
    FLOTA_API_TOKEN      = module.secrets.arns["api_token"]
    FLOTA_ADMIN_EMAIL    = module.secrets.arns["admin_email"]
    FLOTA_ADMIN_PASSWORD = module.secrets.arns["admin_password"]
    FIRMWARE_KEYS        = module.secrets.arns["firmware_keys"]
    }, var.oidc == null ? {} : {
    OIDC_CLIENT_SECRET = module.secrets.arns["oidc_client_secret"]
    }, var.mail == null ? {} : {
    SMTP_URL = module.secrets.arns["smtp_url"]
    }, var.telemetry_database == null ? {} : {
    TELEMETRY_DATABASE_URL = module.secrets.arns["telemetry_database_url"]
    }, !var.encryption ? {} : {
    SEALING_KEYS = module.secrets.arns["sealing_keys"]
  })
  statements = [{
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${module.storage.bucket_arn}/*"]
    }, {
    actions   = ["s3:ListBucket"]
    resources = [module.storage.bucket_arn]
  }]
}

module "ca" {
  source            = "./modules/service"
  name              = "${var.name}-ca"
  discovery_name    = "ca"
  cluster           = local.cluster
  image             = local.image["flota"]
  command           = ["ca/main.js"]
  cpu               = 512
  memory            = 1024
  security_group_id = aws_security_group.parts["ca"].id
  # One: its directory has one writer, and an hour without it is no outage.
  started      = var.started
  desired      = 1
  exclusive    = true
  port         = 8443
  health_check = ["CMD", "node", "-e", "require('node:net').connect(8443, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"]
  volume = {
    file_system_id   = aws_efs_file_system.state.id
    file_system_arn  = aws_efs_file_system.state.arn
    access_point_id  = aws_efs_access_point.ca.id
    access_point_arn = aws_efs_access_point.ca.arn
    path             = "/var/lib/flota/ca"
  }
  tags = local.tags

  environment = {
    CA_NAMES      = local.ca_name
    CA_CALLERS    = "webhook.flota,webhook"
    CA_KMS_KEY_ID = module.secrets.ca_key_arns[var.ca_keys - 1]
    AWS_REGION    = local.region
    # Inside, because that is where EMQX fetches it from.
    CA_CRL_URL = "http://webhook.${local.domain}:8080/crl/crl.pem"
  }
  secrets = {
    CA_PASSPHRASE = module.secrets.arns["ca_passphrase"]
  }
  statements = [{
    actions   = ["kms:Sign", "kms:GetPublicKey"]
    resources = module.secrets.ca_key_arns
  }]
}

module "broker" {
  source            = "./modules/broker"
  name              = "${var.name}-emqx"
  nodes             = var.broker.nodes
  cluster           = local.cluster
  domain            = local.domain
  image             = local.image["flota-emqx"]
  cpu               = var.broker.cpu
  memory            = var.broker.memory
  started           = var.started
  public_names      = [var.mqtt_domain, module.edge.mqtt_dns_name]
  flota_url         = "http://webhook.${local.domain}:8080"
  target_group_arn  = module.edge.mqtt_target_group_arn
  security_group_id = aws_security_group.parts["broker"].id
  file_system_id    = aws_efs_file_system.state.id
  file_system_arn   = aws_efs_file_system.state.arn
  secrets           = module.secrets.arns
  tags              = local.tags
}

module "alarms" {
  count                = var.started ? 1 : 0
  source               = "./modules/alarms"
  name                 = var.name
  email                = var.alarm_email
  alb_suffix           = module.edge.console_suffix
  console_group_suffix = module.edge.console_target_group_suffix
  nlb_suffix           = module.edge.mqtt_suffix
  mqtt_group_suffix    = module.edge.mqtt_target_group_suffix
  database_id          = module.database.id
  cluster_name         = aws_ecs_cluster.main.name
  services             = merge({ (module.webhook.name) = var.webhook.min, (module.ca.name) = 1 }, { for name in module.broker.names : name => 1 })
  log_group            = local.log_group
  broker_nodes         = var.broker.nodes
  database_storage_gb  = var.database.storage_gb
  kms_key_arn          = module.secrets.encryption_key_arn
  tags                 = local.tags
}

module "pipeline" {
  source          = "./modules/pipeline"
  count           = var.github_repository == null ? 0 : 1
  name            = var.name
  repository      = var.github_repository
  repository_arns = [for repository in aws_ecr_repository.images : repository.arn]
  cluster_arn     = aws_ecs_cluster.main.arn
  pass_role_arns  = concat(module.webhook.role_arns, module.ca.role_arns, module.broker.role_arns)
  tags            = local.tags
}
