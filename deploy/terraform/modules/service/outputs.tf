output "name" {
  value = var.name
}
output "role_arns" {
  value = [aws_iam_role.execution.arn, aws_iam_role.task.arn]
}
