output "name" {
  value = var.name
}
output "role_arns" {
  value = module.roles.arns
}
