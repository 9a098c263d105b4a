namespace Muse.Tests.Infrastructure;

/// <summary>A test that needs a redis-server; skipped, with the reason, where there is none.</summary>
public sealed class RedisFactAttribute : FactAttribute
{
    public RedisFactAttribute()
    {
        if (!RedisServer.IsAvailable)
            Skip = "There is no redis-server on the PATH: ./muse test installs one.";
    }
}

/// <summary>The same for a theory.</summary>
public sealed class RedisTheoryAttribute : TheoryAttribute
{
    public RedisTheoryAttribute()
    {
        if (!RedisServer.IsAvailable)
            Skip = "There is no redis-server on the PATH: ./muse test installs one.";
    }
}
