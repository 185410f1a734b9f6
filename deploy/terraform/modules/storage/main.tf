# The bucket of firmware and CRLs, and CloudFront before it, which lets through what is signed.
variable "name" {
  type = string
}
variable "console_origin" {
  type = string
}
variable "cdn_public_key" {
  type = string
}
variable "price_class" {
  type = string
}
variable "protect" {
  type = bool
}
variable "tags" {
  type = map(string)
}

data "aws_caller_identity" "current" {}

resource "aws_s3_bucket" "objects" {
  bucket        = "${var.name}-objects-${data.aws_caller_identity.current.account_id}"
  force_destroy = !var.protect
  tags          = var.tags
}

resource "aws_s3_bucket_versioning" "objects" {
  bucket = aws_s3_bucket.objects.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "objects" {
  bucket                  = aws_s3_bucket.objects.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "objects" {
  bucket = aws_s3_bucket.objects.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "objects" {
  bucket = aws_s3_bucket.objects.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# A firmware is never overwritten; CRLs are, every hour.
resource "aws_s3_bucket_lifecycle_configuration" "objects" {
  bucket = aws_s3_bucket.objects.id
  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 90
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
  rule {
    id     = "old-crls"
    status = "Enabled"
    filter {
      prefix = "crl"
    }
    noncurrent_version_expiration {
      noncurrent_days = 14
    }
  }
  depends_on = [aws_s3_bucket_versioning.objects]
}

# The console uploads from the browser.
resource "aws_s3_bucket_cors_configuration" "objects" {
  bucket = aws_s3_bucket.objects.id
  cors_rule {
    allowed_origins = [var.console_origin]
    allowed_methods = ["GET", "PUT"]
    allowed_headers = ["*"]
    expose_headers  = ["ETag"]
    max_age_seconds = 3600
  }
}

data "aws_iam_policy_document" "objects" {
  statement {
    sid       = "CdnReads"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.objects.arn}/*"]
    principals {
      type        = "Service"
      identifiers = ["cloudfront.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "AWS:SourceArn"
      values   = [aws_cloudfront_distribution.downloads.arn]
    }
  }
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.objects.arn, "${aws_s3_bucket.objects.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "objects" {
  bucket     = aws_s3_bucket.objects.id
  policy     = data.aws_iam_policy_document.objects.json
  depends_on = [aws_s3_bucket_public_access_block.objects]
}

resource "aws_cloudfront_origin_access_control" "objects" {
  name                              = "${var.name}-objects"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# To rotate: add a second key to the group, let the webhook sign with it, remove the first an hour later.
resource "aws_cloudfront_public_key" "downloads" {
  name_prefix = "${var.name}-"
  encoded_key = var.cdn_public_key
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudfront_key_group" "downloads" {
  name  = "${var.name}-downloads"
  items = [aws_cloudfront_public_key.downloads.id]
}

data "aws_cloudfront_cache_policy" "optimized" {
  name = "Managed-CachingOptimized"
}

# nosniff and its like, for whoever opens a download in a browser.
data "aws_cloudfront_response_headers_policy" "security" {
  name = "Managed-SecurityHeadersPolicy"
}

resource "aws_cloudfront_distribution" "downloads" {
  enabled         = true
  comment         = "${var.name}: firmware"
  is_ipv6_enabled = true
  http_version    = "http2"
  price_class     = var.price_class
  tags            = var.tags

  origin {
    origin_id                = "objects"
    domain_name              = aws_s3_bucket.objects.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.objects.id
  }

  default_cache_behavior {
    target_origin_id           = "objects"
    viewer_protocol_policy     = "https-only"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = data.aws_cloudfront_cache_policy.optimized.id
    response_headers_policy_id = data.aws_cloudfront_response_headers_policy.security.id
    # Images do not compress, and a range counts bytes of the image.
    compress           = false
    trusted_key_groups = [aws_cloudfront_key_group.downloads.id]
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}

output "bucket" {
  value = aws_s3_bucket.objects.bucket
}
output "bucket_arn" {
  value = aws_s3_bucket.objects.arn
}
output "cdn_url" {
  value = "https://${aws_cloudfront_distribution.downloads.domain_name}"
}
output "cdn_key_pair_id" {
  value = aws_cloudfront_public_key.downloads.id
}
