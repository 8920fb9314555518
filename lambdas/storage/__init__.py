"""All the DynamoDB and SQS there is."""
