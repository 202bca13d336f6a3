-- one row per kind of span before :as_of, days with any behaviour and whether they stayed: how many are
select
    round,
    alike,
    case when days <= 4 then days when days <= 6 then 5 when days <= 9 then 7 when days <= 14 then 10 else 15 end as band,
    stayed,
    count(*) as users
from span_totals
group by
    round,
    alike,
    case when days <= 4 then days when days <= 6 then 5 when days <= 9 then 7 when days <= 14 then 10 else 15 end,
    stayed
