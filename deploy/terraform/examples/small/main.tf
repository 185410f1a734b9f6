# 1,000 devices: two copies of the webhook, one EMQX, a small database in one zone.
terraform {
  required_version = ">= 1.9"
  # No secret is in the state, but the whole installation is: encrypted, versioned, and for few.
  backend "s3" {
    bucket       = "your-terraform-state"
    key          = "flota/terraform.tfstate"
    region       = "eu-central-1"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = "eu-central-1"
}

variable "cdn_public_key_file" {
  type    = string
  default = "cdn-public-key.pem"
}

variable "image_tag" {
  type = string
}

variable "started" {
  type    = bool
  default = false
}

module "flota" {
  source            = "../.."
  console_domain    = "flota.example.com"
  certificate_arn   = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
  mqtt_domain       = "mqtt.example.com"
  cdn_public_key    = file(var.cdn_public_key_file)
  image_tag         = var.image_tag
  started           = var.started
  alarm_email       = "operations@example.com"
  github_repository = "your-organisation/flota"
  webhook           = { cpu = 512, memory = 1024, min = 2, max = 4 }
  broker            = { cpu = 1024, memory = 2048, nodes = 1 }
  database          = { instance_class = "db.t4g.medium", storage_gb = 20, max_storage_gb = 100, multi_az = false }
}

output "flota" {
  value = module.flota
}
