-- one row per customer as of :as_of
with seen as (
    select
        entity_id,
        occurred_at,
        page,
        campaign_id,
        cast(day_number(local_at) as int) as day
    from events
    where page is not null or campaign_id is not null
),

pages as (
    select
        entity_id,
        page,
        day,
        row_number() over (partition by entity_id order by occurred_at desc, page) as place
    from seen
    where page is not null
),

last_pages as (
    select entity_id, page, day
    from pages
    where place = 1
),

joined as (
    select
        entity_id,
        count(distinct case when day >= :w90 then campaign_id end) as campaign_count
    from seen
    group by entity_id
)

select
    joined.entity_id,
    last_pages.page as last_page,
    :as_of - last_pages.day as days_since_last_page,
    joined.campaign_count as joined_campaign_count_90d
from joined
left join last_pages on joined.entity_id = last_pages.entity_id
