using Muse.Api;
using Muse.Queue;
using Muse.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddMuseQueue();
builder.AddMuseApi();

var app = builder.Build();
app.UseMuseApi();
app.MapDefaultEndpoints();
app.MapImages();
app.MapGenerations();
app.MapOriginalMuse();
app.MapModels();
app.MapOperations();
app.MapApiDocument();
app.Run();
