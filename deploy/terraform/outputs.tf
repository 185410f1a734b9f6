output "console_target" {
  description = "What the DNS record of console_domain points to (CNAME or alias)."
  value       = module.edge.console_dns_name
}

output "mqtt_target" {
  description = "What the DNS record of mqtt_domain points to."
  value       = module.edge.mqtt_dns_name
}

output "repositories" {
  description = "Where CI pushes images to."
  value       = { for name, repository in aws_ecr_repository.images : name => repository.repository_url }
}

output "bucket" {
  value = module.storage.bucket
}

output "cdn_url" {
  value = module.storage.cdn_url
}

output "ca_key_arn" {
  description = "CA_KMS_KEY_ID for npm run ca -- request-issuing: the newest."
  value       = module.secrets.ca_key_arns[var.ca_keys - 1]
}

output "secrets_to_fill" {
  description = "Secrets that have no value until somebody gives them one (README.md); make-secrets fills the rest."
  value       = module.secrets.to_fill
}

output "cluster" {
  value = aws_ecs_cluster.main.name
}

output "pipeline_role_arn" {
  description = "Role of the workflow (.github/workflows/deploy.yaml)."
  value       = one(module.pipeline[*].role_arn)
}
