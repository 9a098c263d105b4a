namespace Muse.Tests.Infrastructure;

/// <summary>A test that needs a redis-server and an S3 server; skipped, with the reason, where one is missing.</summary>
public sealed class S3FactAttribute : FactAttribute
{
    public S3FactAttribute() => Skip = SkipReason.Find();
}

/// <summary>The same for a theory.</summary>
public sealed class S3TheoryAttribute : TheoryAttribute
{
    public S3TheoryAttribute() => Skip = SkipReason.Find();
}

static class SkipReason
{
    public static string? Find() => !RedisServer.IsAvailable ? new RedisFactAttribute().Skip
        : S3Server.IsAvailable ? null
        : S3Server.Missing;
}
